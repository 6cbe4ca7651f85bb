// The lines of one log, wherever they came from and in whatever order: batches say which line is their first. Pure.
//
// Also kept: which groups there are (`::group::name` … `::endgroup::`), and the terminal's style at the begin of a line,
// which are known as far as the log has been seen without a hole.

import { PLAIN, endOf } from "./ansi.js";

const GROUP = /^(?:\x1b\[[0-9;]*m)*(?:::|##\[)group(?:::|\])(.*)$/;
const END = /^(?:\x1b\[[0-9;]*m)*(?:::|##\[)endgroup(?:::|\])/;

export class LogStore {
  texts = []; // by line - 1; undefined has not come yet, null is kept by nobody any more
  times = []; // Unix milliseconds
  streams = []; // 1 stdout, 2 stderr, and 2 more where the line goes on in the next
  held = 0; // lines that are here
  lost = 0; // lines that the server did not have any more
  doubled = 0; // lines that came again
  known = 0; // all lines up to this one are here, or lost
  groups = []; // {first, last, title}: `last` grows while the group is open
  #open; // the group that is
  #ends = false; // with the line that was learned last
  #style = PLAIN;
  #styles = new Map(); // line → style at its begin, where it is not plain

  /** How long the log is, as far as is known. */
  get length() {
    return this.texts.length;
  }

  /** Lines that are missing, of those that the server has. */
  get missing() {
    return this.length - this.lost - this.held;
  }

  /** All of it as it was written, escapes and all. */
  raw() {
    return this.texts.map((text, index) => (text == null ? "" : text + (this.streams[index] > 2 ? "" : "\n"))).join("");
  }

  /** A batch. Its shape was checked by who gives it. */
  add({ first, at, lines }) {
    for (let index = 0; index < lines.length; index++) {
      const [after, stream, text] = lines[index];
      const place = first - 1 + index;
      this.#reach(place);
      if (this.texts[place] != null) {
        this.doubled++;
        continue;
      }
      if (this.texts[place] === null) this.lost--;
      this.texts[place] = text;
      this.times[place] = at + after;
      this.streams[place] = stream;
      this.held++;
    }
    this.#learn();
  }

  /** The server has nothing before this line. */
  beginsAt(line) {
    this.#reach(line - 1);
    for (let place = 0; place < line - 1; place++) {
      if (this.texts[place] !== undefined) continue;
      this.texts[place] = null;
      this.lost++;
    }
    this.#learn();
  }

  /** So many lines there are, at least. An array without real holes stays a fast one. */
  #reach(length) {
    while (this.texts.length < length) {
      this.texts.push(undefined);
      this.times.push(0);
      this.streams.push(0);
    }
  }

  /** The style at the begin of a line. */
  styleOf(line) {
    return this.#styles.get(line) ?? PLAIN;
  }

  #learn() {
    const { texts } = this;
    while (this.known < texts.length && texts[this.known] !== undefined) {
      const line = ++this.known;
      const text = texts[line - 1];
      if (text === null) continue;
      if (this.#style) this.#styles.set(line, this.#style);
      if (text.includes("\x1b")) this.#style = endOf(text, this.#style);
      if (text.includes("group")) this.#group(line, text);
      if (this.#open) this.#open.last = line;
      if (this.#ends) {
        this.#open = undefined;
        this.#ends = false;
      }
    }
  }

  /** A group ends with its end, or before the next one begins. */
  #group(line, text) {
    const begin = GROUP.exec(text);
    if (begin) {
      this.#open = { first: line, last: line, title: begin[1].trim() || "group" };
      this.groups.push(this.#open);
    } else if (this.#open && END.test(text)) this.#ends = true;
  }
}

/** Which lines are shown: all but those inside of folded groups. Rows are numbered from 0, lines from 1. */
export class Folding {
  #store;
  #folded = []; // groups, by line
  #before = []; // lines hidden by the groups before this one

  constructor(store) {
    this.#store = store;
  }

  get rows() {
    return this.#store.length - this.#hidden();
  }

  isFolded(group) {
    return this.#folded.includes(group);
  }

  set(group, isFolded) {
    if (isFolded === this.isFolded(group)) return;
    this.#folded = isFolded ? [...this.#folded, group].sort((a, b) => a.first - b.first) : this.#folded.filter((each) => each !== group);
    this.refresh();
  }

  setAll(isFolded) {
    this.#folded = isFolded ? [...this.#store.groups] : [];
    this.refresh();
  }

  /** Groups that are open have grown. */
  refresh() {
    let sum = 0;
    this.#before = this.#folded.map((group) => {
      const before = sum;
      sum += group.last - group.first;
      return before;
    });
  }

  /** The line in a row. */
  lineAt(row) {
    const groups = this.#folded;
    let low = 0;
    let high = groups.length;
    while (low < high) {
      const middle = (low + high) >> 1; // the groups whose header is above this row
      if (groups[middle].first - 1 - this.#before[middle] < row) low = middle + 1;
      else high = middle;
    }
    const last = groups[low - 1];
    return row + 1 + (last ? this.#before[low - 1] + last.last - last.first : 0);
  }

  /** The row of a line: of its group's header, where it is folded away. */
  rowOf(line) {
    let row = line - 1;
    this.#folded.forEach((group, index) => {
      if (group.last < line) row = line - 1 - this.#before[index] - (group.last - group.first);
      else if (group.first < line) row = group.first - 1 - this.#before[index];
    });
    return row;
  }

  /** The folded group around a line. */
  around(line) {
    return this.#folded.find((group) => group.first < line && line <= group.last);
  }

  #hidden() {
    const last = this.#folded.length - 1;
    return last < 0 ? 0 : this.#before[last] + this.#folded[last].last - this.#folded[last].first;
  }
}
