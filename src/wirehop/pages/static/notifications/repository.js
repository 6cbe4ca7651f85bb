// The repository: its items as they are now, one of them opened, and what one may let others do.

import { element, setText } from "../ui.js";
import { icon } from "./words.js";

const CAST = ["Ada Brook", "Bo Chen", "Cleo Diaz", "Dan Engel", "Edda Frost", "Femi Gray", "Greta Holm", "Hugo Ito", "Ines Jung", "Jonas Kent"];
const VERBS = {
  issue: { like: "Like", comment: "Comment", mention: "Mention you" },
  pull: { like: "Like", comment: "Comment", mention: "Mention you", request: "Ask for your review" },
  note: { like: "Like", comment: "Comment", mention: "Mention you" },
  deploy: { deploy: "Deploy", fail: "Fail" },
};
const REMARKS = ["Could you have a look?", "I think this is it.", "Same here since yesterday.", "Let us do it before the storm."];

const counted = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

export class Repository {
  #items = new Map();
  #rows = new Map();
  #isDue = false;

  /** `act({item, verb, by, text})` lets it happen; `unread(item)` counts the notices about it. */
  constructor(list, { act, unread, seed }) {
    Object.assign(this, { list, act, unread, turn: seed });
  }

  /** The newest of an item. */
  take(item) {
    this.#items.set(item.id, item);
    this.soon();
  }

  /** Open this one, close the others. Whether there is such an item. */
  open(id, { isScrolled = false } = {}) {
    this.opened = id;
    this.draw();
    if (isScrolled) this.#rows.get(id)?.node.scrollIntoView({ block: "nearest" });
  }

  /** Somebody of the cast does it: each time the next one. */
  let(item, verb) {
    const by = CAST[this.turn % CAST.length];
    const text = verb === "comment" || verb === "mention" ? REMARKS[this.turn % REMARKS.length] : "";
    this.turn += 1;
    return this.act({ item, verb, by, text });
  }

  /** Once a frame, however much comes. */
  soon() {
    if (this.#isDue) return;
    this.#isDue = true;
    requestAnimationFrame(() => {
      this.#isDue = false;
      this.draw();
    });
  }

  draw() {
    for (const item of this.#items.values()) {
      const row = this.#rows.get(item.id) ?? this.#add(item);
      const isOpen = this.opened === item.id;
      const unread = this.unread(item.id);
      setText(row.status, item.status);
      row.node.classList.toggle("bad", item.status.endsWith("has failed"));
      setText(row.likes, item.kind === "deploy" ? "" : counted(item.likes, "like"));
      setText(row.comments, item.kind === "deploy" ? "" : counted(item.comments, "comment"));
      setText(row.dot, unread ? String(unread) : "");
      row.dot.hidden = !unread;
      row.more.hidden = !isOpen;
      row.node.classList.toggle("open", isOpen);
      if (isOpen) row.link.setAttribute("aria-current", "true");
      else row.link.removeAttribute("aria-current");
    }
  }

  #add({ id, kind, title }) {
    const row = {
      link: element("a", { href: `#${id}`, className: "item-link" }, title),
      status: element("span", { className: "item-status" }),
      likes: element("span"),
      comments: element("span"),
      dot: element("span", { className: "item-unread", title: "Notices about it that you have not read" }),
      more: element("div", { className: "item-more", role: "group", ariaLabel: `Let somebody do something to ${title}` }, element("span", { className: "eyebrow" }, "Let somebody")),
    };
    for (const [verb, label] of Object.entries(VERBS[kind])) {
      const button = element("button", { type: "button", className: "button tool", dataset: { testid: `let-${verb}` } }, label);
      button.addEventListener("click", () => this.let(id, verb));
      row.more.append(button);
    }
    row.node = element(
      "li",
      { className: "item", dataset: { id, kind, testid: "item" } },
      element("span", { className: "item-icon" }, icon(kind)),
      element("div", { className: "item-text" }, row.link, element("span", { className: "item-facts" }, row.status, row.likes, row.comments), row.more),
      row.dot,
    );
    this.#rows.set(id, row);
    this.list.append(row.node);
    return row;
  }
}
