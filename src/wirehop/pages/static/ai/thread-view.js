// The messages of a branch, below each other; those that were asked for together beside each other. It draws at most once a
// frame, and stays at the end for those who read there.

import { element } from "../ui.js";
import { viewOf } from "./message-view.js";
import { isOpen } from "./thread.js";

const NEAR_END = 90; // pixels from the end that still count as being there
const HIDDEN_MILLISECONDS = 250; // between two drawings of a page that nobody sees

export class ThreadView {
  #views = new Map(); // by message id
  #rows = []; // {key, node}
  #isDue = false;
  #wasAtEnd = true;

  constructor({ list, scroller, toEnd, acts, drawn }) {
    Object.assign(this, { list, scroller, toEnd, acts, drawn });
    scroller.addEventListener("scroll", () => this.#look(), { passive: true });
    toEnd.addEventListener("click", () => this.scrollToEnd());
    const stay = new ResizeObserver(() => (this.#wasAtEnd ? this.scrollToEnd() : this.#look()));
    stay.observe(scroller);
    stay.observe(list);
    setInterval(() => this.rows?.some(({ beside }) => beside.some(isOpen)) && this.soon(), 500); // tokens a second
  }

  /** Another conversation, or the same one read anew. */
  show(thread) {
    this.thread = thread;
    this.#views.clear();
    this.#rows = [];
    this.list.replaceChildren();
    this.#wasAtEnd = true;
    this.draw();
  }

  /** Something has changed. */
  soon() {
    if (this.#isDue) return;
    this.#isDue = true;
    const draw = () => this.#isDue && this.draw();
    if (document.hidden) setTimeout(draw, HIDDEN_MILLISECONDS);
    else requestAnimationFrame(draw);
  }

  draw() {
    this.#isDue = false;
    this.rows = this.thread.rows();
    this.rows.forEach((row, number) => this.#drawRow(row, number));
    for (const { node } of this.#rows.splice(this.rows.length)) node.remove();
    this.drawn(this.rows);
  }

  scrollToEnd() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.#look();
  }

  #look() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    this.#wasAtEnd = scrollHeight - scrollTop - clientHeight < NEAR_END;
    this.toEnd.hidden = this.#wasAtEnd;
  }

  #drawRow(row, number) {
    const key = row.beside.map(({ id }) => id).join();
    if (this.#rows[number]?.key !== key) {
      const node = element("div", { className: "turn-row", style: { "--columns": row.beside.length } }, ...row.beside.map((message) => this.#view(message).node));
      if (this.#rows[number]) this.#rows[number].node.replaceWith(node);
      else this.list.append(node);
      this.#rows[number] = { key, node };
    }
    for (const message of row.beside) this.#view(message).update(row);
  }

  /** A message that the server has told meanwhile is another object. */
  #view(message) {
    const known = this.#views.get(message.id);
    if (known) {
      known.message = message;
      return known;
    }
    const view = viewOf(message, this.acts);
    this.#views.set(message.id, view);
    return view;
  }
}
