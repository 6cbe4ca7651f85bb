// The chat beside a call: the publications of the room's channel, with its history.

import { MessageList, toMessage } from "../chat/messages.js";
import { byTestId, randomId } from "../ui.js";

const HISTORY = 100;
const MAX_LENGTH = 2000;
const page = (id) => document.getElementById(id);

/** `me()` says who writes and over which wire; `publish(message)` sends it, and rejects. `heard()`: somebody else wrote. */
export class Talk {
  #sent = new Set();
  #input = byTestId("message-input");

  constructor({ me, publish, heard }) {
    Object.assign(this, { me, publish, heard });
    this.messages = new MessageList({
      list: byTestId("messages"),
      scroller: page("messages-scroll"),
      newer: page("newer"),
      onRetry: (message) => this.#deliver(message),
    });
    this.#input.addEventListener("input", () => this.#drafted());
    this.#input.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#send();
    });
    page("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
  }

  /** Show what is said in this channel. To be called before it is live; it ends with the channel. */
  follow(channel) {
    this.messages.clear();
    channel.on("subscribed", ({ recovered }) => recovered || this.#read(channel));
    channel.on("publication", (publication) => this.#received(publication, true));
  }

  focus() {
    this.#input.focus();
    this.messages.scrollToEnd();
  }

  async #read(channel) {
    this.messages.beginAnew();
    try {
      const { publications = [] } = await channel.history({ limit: HISTORY, reverse: true });
      for (const publication of publications.reverse()) this.#received(publication, false);
      this.messages.forgetEarlier();
      this.messages.showEmpty("Nothing said yet", "What is written here, everybody in the room can read, also later.");
      this.messages.scrollToEnd();
    } catch (error) {
      this.messages.showEmpty("The history could not be read", error.message);
    }
  }

  #received(publication, isLive) {
    const message = toMessage(publication);
    const isOwn = this.#sent.has(message.id) || message.name === this.me().name;
    if (this.messages.add(message, { offset: publication.offset ?? Infinity, isOwn, isLive }) && isLive && !isOwn) this.heard(message);
  }

  #drafted() {
    this.#input.style.height = "auto";
    this.#input.style.height = `${this.#input.scrollHeight}px`;
    byTestId("send").disabled = !this.#input.value.trim();
  }

  #send() {
    const text = this.#input.value.trim().slice(0, MAX_LENGTH);
    if (!text) return;
    const message = { id: randomId(), text, at: Date.now(), ...this.me() };
    this.#input.value = "";
    this.#drafted();
    this.#sent.add(message.id);
    this.messages.add(message, { state: "sending", isOwn: true, isLive: true });
    this.#deliver(message);
  }

  async #deliver(message) {
    this.messages.setState(message.id, "sending");
    try {
      await this.publish(message);
      this.messages.setState(message.id, "sent");
    } catch (error) {
      if (!this.messages.hasArrived(message.id)) this.messages.setState(message.id, "failed", error.message);
    }
  }
}
