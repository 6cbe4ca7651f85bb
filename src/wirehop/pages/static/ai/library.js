// The conversations that were looked at in this browser, newest first: their ids are what opens them, so they are nobody else's
// business. Tabs agree: what one writes the others read.

import { element, memory } from "../ui.js";

const KEY = "ai.conversations";
const MOST = 50;

export class Library {
  constructor({ list, empty }) {
    Object.assign(this, { list, empty, current: "" });
    addEventListener("storage", ({ key }) => key === `wirehop.${KEY}` && this.show());
    this.show();
  }

  get #all() {
    const kept = memory.read(KEY, []);
    return Array.isArray(kept) ? kept.filter((each) => typeof each?.id === "string" && typeof each.title === "string") : [];
  }

  add(id, title) {
    const others = this.#all.filter((each) => each.id !== id);
    const known = this.#all.find((each) => each.id === id);
    if (known?.title === title && this.#all[0] === known) return;
    memory.write(KEY, [{ id, title }, ...others].slice(0, MOST));
    this.show();
  }

  forget(id) {
    memory.write(KEY, this.#all.filter((each) => each.id !== id));
    this.show();
  }

  show(current = this.current) {
    this.current = current;
    const all = this.#all;
    this.empty.hidden = all.length > 0;
    this.list.replaceChildren(...all.map(({ id, title }) => {
      const link = element("a", { href: `#${id}`, title, dataset: { testid: "conversation-link" } }, element("span", {}, title || "Untitled"));
      if (id === current) link.setAttribute("aria-current", "page");
      const forget = element("button", { type: "button", className: "forget", ariaLabel: `Take “${title}” off the list`, title: "Take off the list" }, "×");
      forget.addEventListener("click", () => this.forget(id));
      return element("li", {}, link, forget);
    }));
  }
}
