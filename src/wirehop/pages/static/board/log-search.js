// Finds the lines of a log in which a text, or a regular expression, is. A slice at a time, so that the page stays quick;
// lines that come later are searched as they come.

import { plain } from "./ansi.js";

const SLICE = 6; // milliseconds
const AT_ONCE = 200; // lines between two looks at the clock

export class LogSearch {
  lines = []; // that match, ascending
  problem = ""; // with the expression
  pattern = null;
  #store;
  #changed;
  #next = 1; // the line to look at
  #timer = 0;

  constructor(store, changed) {
    this.#store = store;
    this.#changed = changed;
  }

  set(text, { isExpression = false, isExact = false } = {}) {
    this.lines = [];
    this.problem = "";
    this.pattern = null;
    this.#next = 1;
    if (text) {
      try {
        this.pattern = new RegExp(isExpression ? text : text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), isExact ? "g" : "gi");
      } catch (error) {
        this.problem = error.message;
      }
    }
    this.#changed();
    this.more();
  }

  /** There may be more lines. */
  more() {
    if (!this.pattern || this.#timer || this.#next > this.#store.known) return;
    this.#timer = setTimeout(() => {
      this.#timer = 0;
      this.#look();
    });
  }

  /** Where in a text it is found: `[begin, end]`. */
  places(text) {
    if (!this.pattern) return [];
    const found = [];
    for (const match of text.matchAll(this.pattern)) if (match[0]) found.push([match.index, match.index + match[0].length]);
    return found;
  }

  /** The matching line after (or before) this one, around the end. */
  after(line, isBackwards) {
    const { lines } = this;
    if (!lines.length) return undefined;
    if (!isBackwards) return lines.find((each) => each > line) ?? lines[0];
    return lines.findLast((each) => each < line) ?? lines.at(-1);
  }

  #look() {
    const until = performance.now() + SLICE;
    const { pattern } = this;
    if (!pattern) return;
    const before = this.lines.length;
    while (this.#next <= this.#store.known && performance.now() < until) {
      const end = Math.min(this.#store.known, this.#next + AT_ONCE);
      for (; this.#next <= end; this.#next++) {
        const text = this.#store.texts[this.#next - 1];
        if (text === null) continue; // the server has it no more
        pattern.lastIndex = 0;
        if (pattern.test(plain(text))) this.lines.push(this.#next);
      }
    }
    if (this.lines.length !== before) this.#changed();
    this.more();
  }
}
