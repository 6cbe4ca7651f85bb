// Markdown within a line, as nodes: emphasis, code, links. Text is only ever a text node, and a link is http, https or mailto.
//
// What has been opened and not closed is, at the end of a text that is still being written (`isOpen`), taken as styled:
// it will be closed in a moment. Each marker is looked for once, so that no text takes longer than its length calls for.

import { element } from "../ui.js";

const DEPTH = 8; // of emphasis within emphasis
const STYLES = { "**": "strong", "__": "strong", "~~": "s", "*": "em", "_": "em" };
const LINK = /\[([^[\]\n]{1,500})\]\(([^()\s]{1,2000})\)/y;
const BARE_LINK = /https?:\/\/[^\s<>"'`]{0,2000}[^\s<>"'`.,;:!?)\]}*_~]/y;
const SAFE = /^(?:https?:\/\/|mailto:)/i;
const ESCAPED = /[\\`*_{}[\]()#+.!|~>-]/;
const WORD = /[\p{L}\p{N}]/u;

export function inline(text, isOpen = false, depth = 0) {
  return new Line(text, isOpen, depth).nodes;
}

class Line {
  nodes = [];
  #plain = "";
  #missing = new Set(); // markers that are not closed in the rest

  constructor(text, isOpen, depth) {
    Object.assign(this, { text, isOpen, depth });
    let at = 0;
    while (at < text.length) at = this.#code(at) ?? this.#styled(at) ?? this.#link(at) ?? this.#letter(at);
    this.#flush();
  }

  #flush() {
    if (this.#plain) this.nodes.push(document.createTextNode(this.#plain));
    this.#plain = "";
  }

  #push(node, end) {
    this.#flush();
    this.nodes.push(node);
    return end;
  }

  #letter(at) {
    const { text } = this;
    const isEscape = text[at] === "\\" && ESCAPED.test(text[at + 1] ?? "");
    if (text.startsWith("  \n", at)) return this.#push(element("br"), at + 3);
    this.#plain += text[isEscape ? at + 1 : at];
    return at + (isEscape ? 2 : 1);
  }

  #code(at) {
    const { text } = this;
    if (text[at] !== "`") return undefined;
    let begin = at;
    while (text[begin] === "`") begin++;
    const ticks = text.slice(at, begin);
    const end = this.#missing.has(ticks) ? -1 : text.indexOf(ticks, begin);
    if (end >= 0) return this.#push(element("code", {}, text.slice(begin, end).trim() || " "), end + ticks.length);
    this.#missing.add(ticks);
    if (this.isOpen && begin < text.length) return this.#push(element("code", {}, text.slice(begin)), text.length);
    this.#plain += ticks;
    return begin;
  }

  #styled(at) {
    const { text } = this;
    const marker = text.slice(at, at + 2) in STYLES ? text.slice(at, at + 2) : text[at];
    if (!(marker in STYLES) || this.depth >= DEPTH || this.#missing.has(marker)) return undefined;
    const begin = at + marker.length;
    if (!text[begin] || /\s/.test(text[begin])) return undefined;
    if (marker[0] === "_" && WORD.test(text[at - 1] ?? "")) return undefined; // in the middle of a name
    const end = this.#close(marker, begin);
    if (end < 0) this.#missing.add(marker);
    if (end < 0 && !this.isOpen) return undefined;
    const inner = text.slice(begin, end < 0 ? text.length : end);
    return this.#push(element(STYLES[marker], {}, ...inline(inner, end < 0, this.depth + 1)), end < 0 ? text.length : end + marker.length);
  }

  #close(marker, from) {
    const { text } = this;
    for (let end = text.indexOf(marker, from + 1); end >= 0; end = text.indexOf(marker, end + 1)) {
      if (/\s/.test(text[end - 1])) continue;
      if (marker.length === 1 && (text[end - 1] === marker || text[end + 1] === marker)) continue; // of a longer marker
      if (marker[0] === "_" && WORD.test(text[end + marker.length] ?? "")) continue;
      return end;
    }
    return -1;
  }

  #link(at) {
    const { text } = this;
    if (text[at] === "[") {
      LINK.lastIndex = at;
      const [whole, label, target] = LINK.exec(text) ?? [];
      if (whole && SAFE.test(target)) return this.#push(anchor(target, ...inline(label, false, this.depth + 1)), at + whole.length);
    } else if (text[at] === "h" && !WORD.test(text[at - 1] ?? "")) {
      BARE_LINK.lastIndex = at;
      const [whole] = BARE_LINK.exec(text) ?? [];
      if (whole) return this.#push(anchor(whole, whole), at + whole.length);
    }
    return undefined;
  }
}

const anchor = (href, ...children) => element("a", { href, target: "_blank", rel: "noopener noreferrer nofollow" }, ...children);
