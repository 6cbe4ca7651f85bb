// One conversation over the SDK: its messages as they are, then everything after that position from its channel. It draws
// nothing: `changed` hears of every change, `replaced` of a thread that was read anew.

import { Thread } from "./thread.js";

const OUTCOME_UNKNOWN = 120;
const UNKNOWN = 102;
const DELIVERIES = 3; // times a question is given to a session before the person is asked
const PAUSE = 1000; // milliseconds

export class Conversation {
  thread = new Thread();
  title = "";
  isOver = false; // another one is looked at
  #followed; // the channel
  #opening;

  constructor(id, { client, watch, changed, replaced, gone, people }) {
    Object.assign(this, { id, client, watch, changed, replaced, gone, people });
  }

  get channel() {
    return `ai:${this.id}`;
  }

  /** Read it, and follow it from there. */
  open() {
    return (this.#opening ??= this.#open().finally(() => (this.#opening = undefined)));
  }

  async #open() {
    const thread = new Thread();
    let position;
    try {
      for (let number = 0, more = true; more; ) {
        const page = await this.#ask("ai.open", { number });
        position ??= page.position;
        this.title = page.title;
        thread.adopt(page.messages);
        number += page.messages.length;
        more = page.more;
      }
    } catch (error) {
      if (!this.isOver) this.gone(error.code === UNKNOWN ? "This conversation is not there (any more)." : `It could not be read: ${error.message}.`);
      return;
    }
    if (this.isOver) return;
    thread.inherit(this.thread);
    this.thread = thread;
    this.replaced();
    this.#follow(position);
  }

  close() {
    this.isOver = true;
    if (this.#followed) this.client.leave(this.channel);
  }

  /** Ask; the question is shown at once. `id` is what makes it the same one, however often it is sent. */
  async ask(id, text, { parent, answers, seed, author }) {
    const message = this.thread.expect(id, parent, author, text);
    this.changed();
    await this.#deliver(message, { parent: parent || null, text, answers, seed });
  }

  /** What was not taken, once more. */
  async resend(message) {
    message.state = "sending";
    this.changed();
    await this.#deliver(message, { parent: message.parent || null, text: message.parts[0].text, answers: 1 });
  }

  again(message) {
    return this.#ask("ai.again", { message: message.id });
  }

  stop(message) {
    return this.#ask("ai.stop", { message: message.id });
  }

  async #deliver(message, question) {
    try {
      await this.#ask("ai.ask", { message: message.id, ...question });
      if (!this.#followed) await this.open();
    } catch (error) {
      Object.assign(message, { state: "unsent", reason: error.message });
      this.changed();
    }
  }

  /** A method of the server, again where it may not have been done: each of them may be. */
  async #ask(method, data) {
    for (let delivery = 1; ; delivery++) {
      try {
        return await this.client.rpc(method, { conversation: this.id, ...data });
      } catch (error) {
        if (delivery === DELIVERIES || this.isOver || !(error.temporary || error.code === OUTCOME_UNKNOWN)) throw error;
        await new Promise((done) => setTimeout(done, delivery * PAUSE));
      }
    }
  }

  #follow(position) {
    const channel = (this.#followed = this.client.channel(this.channel, { position, joinLeave: true }));
    const isHere = () => !this.isOver && this.#followed === channel;
    this.watch(channel);
    channel.on("subscribed", ({ recovered }) => {
      if (!isHere()) return;
      if (recovered === false) return this.#anew();
      this.people.reload(() => channel.presence()).catch((error) => console.warn("presence:", error.message));
    });
    channel.on("publication", ({ data }) => {
      if (!isHere()) return;
      this.thread.apply(data);
      this.changed();
    });
    channel.on("join", (info) => isHere() && this.people.join(info));
    channel.on("leave", (info) => isHere() && this.people.leave(info));
    channel.on("unsubscribed", ({ code, reason }) => code && isHere() && this.gone(`This conversation is not open to you: ${reason}.`));
  }

  /** The log does not reach back to where we were, or is another one: read the messages as they are. */
  #anew() {
    this.client.leave(this.channel);
    this.#followed = undefined;
    this.open();
  }
}
