// Markdown that is still being written, as elements: paragraphs, headings, lists, quotes, tables, code.
//
//     const view = new MarkdownView(host);
//     view.update("**Hel", { isOpen: true });
//     view.update("**Hello** there", { isOpen: false });
//
// A text is cut into blocks. Those that have not changed since the last time keep their elements, so what is drawn anew is
// the end of the text; what comes out does not depend on the pieces in which it came. No HTML is ever parsed.

import { element } from "../ui.js";
import { highlighted } from "./highlight.js";
import { inline } from "./inline.js";

const DEPTH = 6; // of lists in lists and quotes in quotes
const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([\w+#.-]*)/;
const HEADING = /^ {0,3}(#{1,6})(?:\s+(.*))?$/;
const RULE = /^ {0,3}([-*_])(?:\s*\1){2,}\s*$/;
const QUOTE = /^ {0,3}>\s?/;
const ITEM = /^(\s*)([-*+]|(\d{1,9})[.)])\s+/;
const DELIMITERS = /^\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$/;

// ---- blocks

function kindOf(lines, at) {
  const line = lines[at];
  if (FENCE.test(line)) return "code";
  if (HEADING.test(line)) return "heading";
  if (RULE.test(line)) return "rule";
  if (QUOTE.test(line)) return "quote";
  if (ITEM.test(line)) return "list";
  if (line.includes("|") && lines[at + 1]?.includes("|") && DELIMITERS.test(lines[at + 1])) return "table";
  return "paragraph";
}

/** The number of the line after the block that begins at `at`. */
function endOf(kind, lines, at) {
  let end = at + 1;
  const goOn = (condition) => {
    while (end < lines.length && condition(lines[end])) end++;
    return end;
  };
  if (kind === "quote") return goOn((line) => QUOTE.test(line));
  if (kind === "table") return goOn((line) => line.includes("|"));
  if (kind === "paragraph") return goOn((line) => line.trim() && kindOf(lines, end) === "paragraph");
  if (kind === "code") {
    const [, fence] = FENCE.exec(lines[at]);
    const closes = (line) => line.trim().startsWith(fence) && !line.trim().replaceAll(fence[0], "");
    return Math.min(goOn((line) => !closes(line)) + 1, lines.length);
  }
  if (kind === "list") {
    const isOrdered = !!ITEM.exec(lines[at])[3];
    const isOfList = (line) => /^\s{2,}\S/.test(line) || (ITEM.test(line) && !RULE.test(line) && !!ITEM.exec(line)[3] === isOrdered);
    return goOn((line) => isOfList(line) || (!line.trim() && isOfList(lines[end + 1] ?? "")));
  }
  return end;
}

function blocksOf(text) {
  const lines = text.split("\n");
  const blocks = [];
  for (let at = 0; at < lines.length; ) {
    if (!lines[at].trim()) {
      at++;
      continue;
    }
    const kind = kindOf(lines, at);
    const end = endOf(kind, lines, at);
    blocks.push({ kind, lines: lines.slice(at, end), source: lines.slice(at, end).join("\n") });
    at = end;
  }
  return blocks;
}

// ---- elements

const DRAW = {
  paragraph: ({ lines }, isOpen) => element("p", {}, ...inline(lines.join("\n"), isOpen)),
  rule: () => element("hr"),
  heading({ lines }, isOpen) {
    const [, marks, text = ""] = HEADING.exec(lines[0]);
    return element(`h${Math.min(6, marks.length + 2)}`, { className: `md-h${marks.length}` }, ...inline(text.replace(/\s+#+\s*$/, ""), isOpen));
  },
  quote: ({ lines }, isOpen, depth) => element("blockquote", {}, ...drawn(lines.map((line) => line.replace(QUOTE, "")).join("\n"), isOpen, depth + 1)),
  code(block) {
    const copy = element("button", { type: "button", className: "md-copy" }, "Copy");
    const code = element("code");
    copy.addEventListener("click", () => copied(copy, code.textContent));
    const node = element("div", { className: "md-code" }, element("span", { className: "md-language" }), copy, element("pre", { tabIndex: 0 }, code));
    fillCode(node, block);
    return node;
  },
  table({ lines: [head, delimiters, ...rows] }, isOpen) {
    const aligns = cellsOf(delimiters).map((cell) => (cell.endsWith(":") ? (cell.startsWith(":") ? "center" : "right") : ""));
    const row = (tag, line, isLast) =>
      element("tr", {}, ...cellsOf(line).slice(0, 50).map((text, column) =>
        element(tag, { ...(tag === "th" && { scope: "col" }), style: aligns[column] ? { "text-align": aligns[column] } : {} }, ...inline(text, isOpen && isLast))));
    const body = element("tbody", {}, ...rows.map((line, number) => row("td", line, number === rows.length - 1)));
    return element("div", { className: "md-table", tabIndex: 0, role: "group", ariaLabel: "Table" }, element("table", {}, element("thead", {}, row("th", head, false)), body));
  },
  list({ lines }, isOpen, depth) {
    const [, indent, , start] = ITEM.exec(lines[0]);
    const items = [];
    for (const line of lines) {
      const found = ITEM.exec(line);
      if (found && found[1].length <= indent.length + 1) items.push([line.slice(found[0].length)]);
      else items.at(-1).push(line.replace(/^\s{1,4}/, ""));
    }
    const each = items.map((item, number) => element("li", {}, ...itemOf(item, isOpen && number === items.length - 1, depth)));
    return start === undefined ? element("ul", {}, ...each) : element("ol", { start: Number(start) }, ...each);
  },
};

/** An item that is one line has no paragraph in it. */
function itemOf(lines, isOpen, depth) {
  const [first, ...rest] = lines;
  if (!rest.some((line) => line.trim())) return inline(first, isOpen);
  return [...inline(first), ...drawn(rest.join("\n"), isOpen, depth + 1)];
}

function cellsOf(line) {
  return line.trim().replace(/^\||\|$/g, "").split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));
}

function drawn(text, isOpen, depth) {
  if (depth > DEPTH) return [document.createTextNode(text)];
  const blocks = blocksOf(text);
  return blocks.map((block, number) => DRAW[block.kind](block, isOpen && number === blocks.length - 1, depth));
}

function fillCode(node, { lines }) {
  const [, fence, language] = FENCE.exec(lines[0]);
  const isClosed = lines.length > 1 && lines.at(-1).trim().startsWith(fence);
  node.querySelector(".md-language").textContent = language || "text";
  node.querySelector("code").replaceChildren(...highlighted(language, lines.slice(1, isClosed ? -1 : undefined).join("\n")));
}

async function copied(button, text) {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Not allowed"; // no clipboard on plain HTTP
  }
  setTimeout(() => (button.textContent = "Copy"), 1500);
}

// ---- what stays and what is drawn anew

export class MarkdownView {
  #shown = []; // {block, isOpen, node}

  constructor(host) {
    this.host = host;
  }

  update(text, { isOpen = false } = {}) {
    const blocks = blocksOf(text);
    blocks.forEach((block, number) => {
      const isLast = isOpen && number === blocks.length - 1;
      const known = this.#shown[number];
      if (known?.block.source === block.source && known.isOpen === isLast) return;
      const isSameCode = known?.block.kind === "code" && block.kind === "code";
      if (isSameCode) fillCode(known.node, block); // where one reads and selects nothing jumps
      const node = isSameCode ? known.node : DRAW[block.kind](block, isLast, 0);
      if (!known) this.host.append(node);
      else if (node !== known.node) known.node.replaceWith(node);
      this.#shown[number] = { block, isOpen: isLast, node };
    });
    for (const { node } of this.#shown.splice(blocks.length)) node.remove();
  }
}
