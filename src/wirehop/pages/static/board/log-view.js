// Shows a log: only the rows that can be seen are elements, however long it is. It follows the end until somebody scrolls
// away from it. It knows a store and a search, not where lines come from.

import { element } from "../ui.js";
import { paint, parse, plain } from "./ansi.js";
import { Folding } from "./log-store.js";
import { LogSearch } from "./log-search.js";

export const ROW = 20; // pixels: as in board.css
const OVERSCAN = 12; // rows beyond both edges
const GROUP = /^(?:\x1b\[[0-9;]*m)*(?:::|##\[)group(?:::|\])/;
const END = /^(?:\x1b\[[0-9;]*m)*(?:::|##\[)endgroup(?:::|\])/;
const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

export class LogView {
  isFollowing = true;
  chosen = 0; // the line that the address names
  #rows = new Map(); // line → element
  #stamps = new WeakMap(); // element → what it shows
  #isDue = false;
  #top = 0; // what was scrolled to by this view
  #height = 0; // of what can be seen
  #clock = new Map(); // second → its text: a format costs more than a row

  /** `link(line)` is the address of a line; `changed` is called after each drawing. */
  constructor(scroller, { link, changed }) {
    Object.assign(this, { scroller, link, changed });
    this.space = element("div", { className: "log-space" });
    scroller.replaceChildren(this.space);
    scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    new ResizeObserver(() => this.draw()).observe(scroller);
    this.space.addEventListener("click", (event) => this.#clicked(event));
  }

  /** Another log. */
  show(store, { line = 0 } = {}) {
    this.store = store;
    this.folding = new Folding(store);
    this.search = new LogSearch(store, () => this.draw());
    this.chosen = line;
    this.wanted = line; // to be scrolled to as soon as it is there
    this.isFollowing = !line;
    this.#rows.clear();
    this.space.replaceChildren();
    this.scroller.scrollTop = this.#top = 0;
    this.draw();
  }

  /** Draw in the next frame, or soon where there are no frames. */
  draw() {
    if (this.#isDue || !this.store) return;
    this.#isDue = true;
    const once = () => {
      if (!this.#isDue) return;
      this.#isDue = false;
      this.#draw();
    };
    requestAnimationFrame(once);
    setTimeout(once, 250); // a tab in the background
  }

  follow(isFollowing) {
    this.isFollowing = isFollowing;
    this.draw();
  }

  /** Scroll to a line and mark it; a folded group opens for it. */
  goTo(line) {
    this.chosen = line;
    this.wanted = line;
    this.isFollowing = false;
    this.draw();
  }

  foldAll(isFolded) {
    this.folding.setAll(isFolded);
    this.isFollowing &&= !isFolded;
    this.draw();
  }

  // ---- drawing

  #draw() {
    const { store, folding, scroller } = this;
    folding.refresh();
    this.search.more();
    if (this.wanted && this.wanted <= store.length) {
      const group = folding.around(this.wanted);
      if (group) folding.set(group, false);
    }
    const rows = folding.rows;
    this.space.style.height = `${rows * ROW}px`;
    const height = (this.#height = scroller.clientHeight);
    if (this.wanted && this.wanted <= store.length) {
      this.#scrollTo(folding.rowOf(this.wanted) * ROW - Math.floor(height / 3));
      if (store.texts[this.wanted - 1] !== undefined) this.wanted = 0;
    } else if (this.isFollowing) this.#scrollTo(rows * ROW - height);
    const first = Math.max(0, Math.floor(scroller.scrollTop / ROW) - OVERSCAN);
    const last = Math.min(rows, Math.ceil((scroller.scrollTop + height) / ROW) + OVERSCAN);
    const lines = Array.from({ length: Math.max(0, last - first) }, (_, index) => folding.lineAt(first + index));
    const kept = new Set(lines);
    for (const [line, node] of this.#rows) {
      if (kept.has(line)) continue;
      node.remove();
      this.#rows.delete(line);
    }
    let next = this.space.firstChild; // elements stand in the order of their lines, for who reads or copies them
    lines.forEach((line, index) => {
      const before = this.#rows.get(line);
      const node = this.#place(line, first + index);
      if (before && before === next) next = node.nextSibling;
      else this.space.insertBefore(node, next);
    });
    this.changed();
  }

  #scrollTo(top) {
    const wanted = Math.max(0, Math.min(top, this.space.offsetHeight - this.scroller.clientHeight));
    if (Math.abs(this.scroller.scrollTop - wanted) >= 1) this.scroller.scrollTop = wanted;
    this.#top = this.scroller.scrollTop;
  }

  /** By a person: up leaves the end, and the end is followed again. */
  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    if (clientHeight === this.#height && Math.abs(scrollTop - this.#top) >= 1) { // else the browser, because the view has another height
      if (scrollTop < this.#top) this.isFollowing = false;
      else if (scrollTop + clientHeight >= scrollHeight - ROW / 2) this.isFollowing = true;
      this.#top = scrollTop;
      this.wanted = 0;
    }
    this.draw();
  }

  #place(line, row) {
    const { store } = this;
    const text = store.texts[line - 1];
    const style = store.styleOf(line);
    const group = text?.includes("group") && GROUP.test(text) ? store.groups.find(({ first }) => first === line) : undefined;
    const isFolded = group && this.folding.isFolded(group);
    const pattern = this.search.pattern;
    const stamp = `${row}|${text === undefined}${text === null}|${style}|${line === this.chosen}|${pattern}|${group ? `${isFolded}${isFolded && group.last}` : ""}`;
    const before = this.#rows.get(line);
    if (before && this.#stamps.get(before) === stamp) return before;
    const node = this.#row(line, text, style, group, isFolded);
    node.style.top = `${row * ROW}px`;
    this.#stamps.set(node, stamp);
    this.#rows.set(line, node);
    before?.replaceWith(node);
    return node;
  }

  #row(line, text, style, group, isFolded) {
    const node = element("div", { className: "row", dataset: { line } });
    if (line === this.chosen) node.classList.add("is-chosen");
    if (this.store.streams[line - 1] % 2 === 0 && text != null) node.classList.add("is-error");
    const number = element("a", { className: "no", href: this.link(line), ariaLabel: `Line ${line}`, tabIndex: -1 }, String(line));
    const said = element("span", { className: "said" });
    const time = element("time");
    node.append(number, time, said);
    if (text == null) {
      said.classList.add("is-missing");
      said.append(text === null ? "is not kept any more" : "…");
      return node;
    }
    time.textContent = this.#time(this.store.times[line - 1]);
    if (group) {
      node.classList.add("is-group");
      const lines = isFolded ? element("small", {}, `${group.last - group.first} lines`) : "";
      said.append(element("button", { type: "button", className: "fold", ariaExpanded: String(!isFolded), dataset: { group: group.first } }, plain(group.title)), lines);
    } else this.#write(said, parse(text, style));
    if (END.test(text)) node.classList.add("is-end");
    return node;
  }

  /** The pieces, cut where something is found in them. */
  #write(said, pieces) {
    const places = this.search.pattern ? this.search.places(pieces.map(({ text }) => text).join("")) : [];
    let at = 0;
    for (const { text, style } of pieces) {
      const end = at + text.length;
      let from = at;
      const push = (to, isFound) => {
        if (to <= from) return;
        const part = text.slice(from - at, to - at);
        said.append(style || isFound ? paint(element(isFound ? "mark" : "span", {}, part), style) : part);
        from = to;
      };
      for (const [begin, stop] of places) {
        if (stop <= at || begin >= end) continue;
        push(Math.max(begin, at), false);
        push(Math.min(stop, end), true);
      }
      push(end, false);
      at = end;
    }
  }

  #time(at) {
    const second = Math.floor(at / 1000);
    let text = this.#clock.get(second);
    if (!text) {
      if (this.#clock.size > 1000) this.#clock.clear();
      text = CLOCK.format(second * 1000);
      this.#clock.set(second, text);
    }
    return `${text}.${String(at % 1000).padStart(3, "0")}`;
  }

  #clicked(event) {
    const fold = event.target.closest(".fold");
    if (!fold) return;
    const group = this.store.groups.find(({ first }) => first === Number(fold.dataset.group));
    this.isFollowing = false;
    this.folding.set(group, !this.folding.isFolded(group));
    this.draw();
    requestAnimationFrame(() => this.#rows.get(group.first)?.querySelector(".fold")?.focus());
  }
}
