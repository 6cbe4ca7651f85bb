// The list of messages: order, groups, days, states. It draws what it is given and knows no connection.
//
// A message is {id, name, text, at, wire}. Its place is its offset in the channel; a message of our own that has not
// come back yet has none and stands at the end. Text of users goes only into text nodes.

import { WIRE_LABELS, element } from "../ui.js";
import { avatar, hue, nameOf } from "./people.js";

const GROUP_MILLISECONDS = 5 * 60_000; // messages of one person closer than this share an avatar
const MAX_LENGTH = 2000;
const NEAR_END = 90; // pixels from the end that still count as being there
const LINK = /https?:\/\/[^\s<>"']*[^\s<>"'.,;:!?)\]}]/g;
const EMOJI_ONLY = /^(?=.*\p{Extended_Pictographic})(?:\p{Extended_Pictographic}|\p{Emoji_Modifier}|\p{Regional_Indicator}|\u200d|\ufe0f|\s){1,16}$/u;

const timeOfDay = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const longDay = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const dayOf = (at) => new Date(at).toDateString();

function dayName(at) {
  const days = Math.round((new Date().setHours(0, 0, 0, 0) - new Date(at).setHours(0, 0, 0, 0)) / 86_400_000);
  return days === 0 ? "Today" : days === 1 ? "Yesterday" : longDay.format(at);
}

/** A publication as a message. Anybody may publish here by HTTP, so nothing about its shape is sure. */
export function toMessage({ data, info, offset, time }) {
  const given = typeof data === "object" && data !== null ? data : { text: data };
  const text = typeof given.text === "string" ? given.text : JSON.stringify(given.text ?? data);
  const isWhole = typeof given.id === "string" && typeof given.text === "string";
  return {
    id: isWhole ? given.id : `offset-${offset}`,
    name: String(given.name || (info ? nameOf(info) : "HTTP")).slice(0, 32),
    text: text.slice(0, MAX_LENGTH),
    at: Number.isFinite(given.at) ? given.at : time || Date.now(),
    wire: typeof given.wire === "string" ? given.wire.slice(0, 20) : "HTTP",
  };
}

/** Text with its links clickable. */
function* linked(text) {
  let end = 0;
  for (const match of text.matchAll(LINK)) {
    yield text.slice(end, match.index);
    yield element("a", { href: match[0], target: "_blank", rel: "noopener noreferrer nofollow" }, match[0]);
    end = match.index + match[0].length;
  }
  yield text.slice(end);
}

export class MessageList {
  #items = []; // {message, offset, state, isOwn, round, node, day}
  #byId = new Map();
  #unseen = 0;
  #round = 0;

  constructor({ list, scroller, newer, onRetry }) {
    Object.assign(this, { list, scroller, newer, onRetry });
    newer.addEventListener("click", () => this.scrollToEnd());
    scroller.addEventListener("scroll", () => this.#isAtEnd() && this.#seen(), { passive: true });
    // A keyboard on a phone, or a longer draft, must not hide the end that one was reading.
    let wasAtEnd = true;
    scroller.addEventListener("scroll", () => (wasAtEnd = this.#isAtEnd()), { passive: true });
    new ResizeObserver(() => wasAtEnd && this.scrollToEnd()).observe(scroller);
  }

  clear() {
    this.#items = [];
    this.#byId.clear();
    this.list.replaceChildren();
    this.#seen();
  }

  /** The history will be read anew: what is shown now may not be in it any more. */
  beginAnew() {
    this.#round++;
  }

  /** It was read: away with what it did not have, but our own messages that have not arrived. */
  forgetEarlier() {
    const isKept = (item) => item.round === this.#round || item.state !== "sent";
    for (const { node, day, message } of this.#items.filter((item) => !isKept(item))) {
      node.remove();
      day?.remove();
      this.#byId.delete(message.id);
    }
    this.#items = this.#items.filter(isKept);
    this.#items.forEach((_, index) => this.#group(index));
  }

  showEmpty(title, text) {
    if (!this.#items.length) this.list.replaceChildren(element("div", { className: "empty-room" }, element("strong", {}, title), text));
  }

  hasArrived(id) {
    return this.#byId.get(id)?.state === "sent";
  }

  /** Add a message, or give one that is shown already its offset. True if it is new. */
  add(message, { offset = Infinity, state = "sent", isOwn = false, isLive = false } = {}) {
    const known = this.#byId.get(message.id);
    const wasAtEnd = this.#isAtEnd();
    if (known) {
      const isOfBefore = known.round < this.#round; // of a log that may have been another one
      if ((known.offset === Infinity || isOfBefore) && offset !== Infinity) this.#place(known, offset);
      known.round = this.#round;
      this.setState(message.id, "sent");
      if (wasAtEnd) this.scrollToEnd();
      return false;
    }
    if (!this.#items.length) this.list.replaceChildren();
    const item = { message, state, isOwn, round: this.#round };
    this.#byId.set(message.id, item);
    this.#draw(item);
    this.#place(item, offset);
    if (isLive) item.node.classList.add("fresh");
    if (wasAtEnd || (isOwn && isLive)) this.scrollToEnd();
    else if (isLive) this.#notSeen();
    return true;
  }

  setState(id, state, reason = "") {
    const item = this.#byId.get(id);
    if (!item) return;
    item.state = item.node.dataset.state = state;
    item.status.replaceChildren(...this.#statusOf(item, reason));
  }

  scrollToEnd() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.#seen();
  }

  #isAtEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    return scrollHeight - scrollTop - clientHeight < NEAR_END;
  }

  #seen() {
    this.#unseen = 0;
    this.newer.hidden = true;
  }

  #notSeen() {
    this.#unseen += 1;
    this.newer.textContent = this.#unseen === 1 ? "1 new message ↓" : `${this.#unseen} new messages ↓`;
    this.newer.hidden = false;
  }

  #draw(item) {
    const { id, name, text, at, wire } = item.message;
    item.status = element("span", { className: "status" }, ...this.#statusOf(item));
    const badge = element("span", { className: "badge", title: `sent over ${WIRE_LABELS[wire] ?? wire}` }, WIRE_LABELS[wire] ?? wire);
    badge.style.setProperty("--wire", `var(--wire-${wire in WIRE_LABELS ? wire : "http"})`);
    const time = element("time", { dateTime: new Date(at).toISOString(), title: new Date(at).toLocaleString() }, timeOfDay.format(at));
    const meta = element("span", { className: "meta" }, badge, time, item.status);
    item.node = element(
      "div",
      { className: "message", dataset: { messageId: id, wire, state: item.state } },
      avatar(name),
      element("div", { className: "who" }, name),
      element("div", { className: "bubble" }, element("span", { className: "text" }, ...linked(text)), meta),
    );
    item.node.classList.toggle("own", item.isOwn);
    item.node.classList.toggle("emoji-only", EMOJI_ONLY.test(text));
    item.node.style.setProperty("--hue", hue(name));
  }

  #statusOf({ state, isOwn, message }, reason = "") {
    if (!isOwn) return [];
    if (state === "sent") return [element("span", { title: "sent", ariaLabel: "sent", role: "img" }, "✓")];
    if (state === "sending") return ["sending…"];
    const retry = element("button", { type: "button", className: "retry", title: reason }, "Retry");
    retry.addEventListener("click", () => this.onRetry(message));
    return ["not sent · ", retry];
  }

  /** Move an item to where its offset belongs, and group it with its neighbours. */
  #place(item, offset) {
    const from = this.#items.indexOf(item);
    if (from >= 0) this.#items.splice(from, 1);
    item.offset = offset;
    let to = this.#items.length;
    while (to > 0 && this.#items[to - 1].offset > offset) to -= 1;
    this.#items.splice(to, 0, item);
    if (from !== to) {
      const next = this.#items[to + 1];
      this.list.insertBefore(item.node, next ? (next.day ?? next.node) : null);
    }
    for (let index = Math.max(0, to - 1); index <= Math.min(this.#items.length - 1, to + 1); index += 1) this.#group(index);
    if (from >= 0 && from !== to) for (const index of [from - 1, from]) if (this.#items[index]) this.#group(index);
  }

  #group(index) {
    const item = this.#items[index];
    const before = this.#items[index - 1];
    const after = this.#items[index + 1];
    const together = (one, other) =>
      one && other && one.message.name === other.message.name && one.isOwn === other.isOwn &&
      other.message.at - one.message.at < GROUP_MILLISECONDS && dayOf(one.message.at) === dayOf(other.message.at);
    item.node.classList.toggle("first", !together(before, item));
    item.node.classList.toggle("last", !together(item, after));
    item.day?.remove();
    item.day = null;
    if (!before || dayOf(before.message.at) !== dayOf(item.message.at)) {
      item.day = element("div", { className: "day", role: "separator" }, dayName(item.message.at));
      item.node.before(item.day);
    }
  }
}
