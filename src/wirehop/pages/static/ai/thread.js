// A conversation as a page knows it: messages, the branch that is looked at, and what the channel says about them.
//
// Messages are read as they are at some position or a little later; the channel goes on from that position. So a piece that is
// there already may come again: it says at which character it begins, and nothing is written twice.

const MESSAGE = { state: "done", author: "", batch: "", place: 0, tokens: 0, waited: 0, first: 0, seconds: 0, at: 0 };
const OPEN = new Set(["queued", "streaming"]);

export const isOpen = ({ state }) => OPEN.has(state);

const isOwn = ({ state }) => state === "sending" || state === "unsent"; // the server has not told it

export class Thread {
  messages = new Map();
  gaps = 0; // pieces that begin behind the end of what is there
  #chosen = new Map(); // parent → message, where another branch than the newest is looked at

  /** Messages as they were read. */
  adopt(messages) {
    for (const message of messages) this.#add(message);
  }

  /** What was known of it before it was read anew, and the server cannot know. */
  inherit(before) {
    this.gaps += before.gaps;
    this.#chosen = new Map(before.#chosen);
    for (const message of before.messages.values()) if (!this.messages.has(message.id) && isOwn(message)) this.messages.set(message.id, message);
  }

  /** What the channel says. The message that it is about. */
  apply(event) {
    if (event.type === "message") return this.#add(event.message);
    const message = this.messages.get(event.id);
    if (!message) return undefined;
    if (event.type === "more") this.#goOn(message, event);
    else if (event.type === "state" && (isOpen(message) || !OPEN.has(event.state))) {
      const { state, place, tokens, waited, first, seconds } = event;
      Object.assign(message, { state, place, tokens, waited, first, seconds });
    }
    return message;
  }

  /** One of our own that the server has not told yet. */
  expect(id, parent, author, text) {
    return this.#add({ id, parent, role: "user", author, state: "sending", parts: [{ kind: "text", text }], at: Date.now() });
  }

  children(parent) {
    return [...this.messages.values()].filter((message) => message.parent === parent);
  }

  choose(message) {
    this.#chosen.set(message.parent, message.id);
  }

  /** From the first message to the end of the branch: rows of messages that stand beside each other, and the branches there. */
  rows() {
    const rows = [];
    for (let parent = ""; ; ) {
      const children = this.children(parent);
      if (!children.length) return rows;
      const wanted = this.#chosen.get(parent);
      const chosen = children.find(({ id }) => id === wanted) ?? children.find((child) => batchOf(child) === batchOf(children.at(-1)));
      const batches = [...new Set(children.map(batchOf))];
      const beside = children.filter((child) => batchOf(child) === batchOf(chosen));
      const first = (batch) => children.find((child) => batchOf(child) === batch);
      rows.push({ chosen, beside, branches: batches.map(first), branch: batches.indexOf(batchOf(chosen)) });
      parent = chosen.id;
    }
  }

  #add(given) {
    const known = this.messages.get(given.id);
    if (known && !isOwn(known)) return known;
    const parts = (given.parts ?? []).map((part) => ({ text: "", name: "", ...part }));
    const message = { ...MESSAGE, ...given, parts };
    this.messages.set(given.id, message);
    if (!known) this.#chosen.delete(given.parent); // who looks on follows the newest
    return message;
  }

  #goOn(message, { pieces, tokens }) {
    message.firstAt ??= performance.now(); // as seen from here
    for (const { part: number, kind, text, start = 0, name = "" } of pieces) {
      while (message.parts.length <= number) message.parts.push({ kind, name, text: "" });
      const part = message.parts[number];
      if (start > part.text.length) this.gaps++;
      part.text += text.slice(Math.max(0, part.text.length - start));
    }
    message.tokens = Math.max(message.tokens, tokens);
  }
}

const batchOf = (message) => message.batch || message.id;
