// What is new, for a moment at the lower edge; and what was just done, with a way back.

import { element } from "../ui.js";

const STAYS = 7_000; // milliseconds; not while the pointer or the focus is on it
const MOST = 3;

export class Toasts {
  #open = new Map(); // key → {node, timer}

  constructor(host) {
    this.host = host;
  }

  /**
   * Show it. The same key again takes the place of the one before. `buttons` are elements; a click on one of them ends
   * the toast; so does `href`, where the text leads somewhere.
   */
  show(key, { children, buttons = [], href, opened, tone = "" }) {
    this.close(key);
    const close = element("button", { type: "button", className: "row-tool", ariaLabel: "Close", title: "Close" }, "×");
    const text = href ? element("a", { href, className: "toast-text" }, ...children) : element("span", { className: "toast-text" }, ...children);
    const node = element("div", { className: `toast ${tone}`, dataset: { testid: "toast", key } }, text, element("span", { className: "actions" }, ...buttons), close);
    node.addEventListener("click", ({ target }) => {
      if (href && text.contains(target)) opened?.();
      if (target.closest("a, button")) this.close(key);
    });
    const entry = { node, timer: 0 };
    const hold = () => clearTimeout(entry.timer);
    const release = () => {
      hold();
      entry.timer = setTimeout(() => this.close(key), STAYS);
    };
    for (const type of ["pointerenter", "focusin"]) node.addEventListener(type, hold);
    for (const type of ["pointerleave", "focusout"]) node.addEventListener(type, release);
    release();
    this.#open.set(key, entry);
    this.host.append(node);
    while (this.#open.size > MOST) this.close(this.#open.keys().next().value);
  }

  close(key) {
    const entry = this.#open.get(key);
    if (!entry) return;
    clearTimeout(entry.timer);
    entry.node.remove();
    this.#open.delete(key);
  }

  /** Away with those that this is true of: what they said is known by now, on whichever device. */
  closeWhere(isOver) {
    for (const key of [...this.#open.keys()]) if (isOver(key)) this.close(key);
  }
}
