// A line of a terminal → pieces with a style. Pure. Colours and attributes (SGR) count, and carry over to the next line;
// every other control sequence is left out. What a carriage return overwrites is not shown.

const SEQUENCE = /\x1b(?:\[([0-9;:]*)([ -/]*)([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[PX^_][^\x1b]*(?:\x1b\\)?|[ -/]*[0-~])/g;
const MOST_SHOWN = 4_096; // characters of a line
const MOST_PIECES = 96; // of a line: what is beyond them has the style of the last

/** No colours, no attributes. */
export const PLAIN = "";

/** Pieces `{text, style}`: `style` is a string that `paint` understands. */
export function parse(line, style = PLAIN) {
  const [begin, end] = visible(line);
  const shown = line.slice(begin, end);
  const pieces = [];
  let from = 0;
  let length = 0;
  let current = endOf(line.slice(0, begin), style);
  const push = (text) => {
    const room = MOST_SHOWN - length;
    if (!text || room <= 0) return;
    const part = text.length > room ? `${text.slice(0, room)} …` : text;
    length += part.length;
    const last = pieces.at(-1);
    if (last && (last.style === current || pieces.length >= MOST_PIECES)) last.text += part;
    else pieces.push({ text: part, style: current });
  };
  if (shown.includes("\x1b")) {
    for (const match of shown.matchAll(SEQUENCE)) {
      push(clean(shown.slice(from, match.index)));
      from = match.index + match[0].length;
      if (match[3] === "m" && !match[2]) current = applied(current, match[1]);
    }
  }
  push(clean(shown.slice(from)));
  return pieces;
}

/** The style after the line. */
export function endOf(line, style = PLAIN) {
  if (!line.includes("\x1b")) return style;
  let current = style;
  for (const match of line.matchAll(SEQUENCE)) if (match[3] === "m" && !match[2]) current = applied(current, match[1]);
  return current;
}

/** The line as text alone: what is searched. */
export function plain(line) {
  const shown = line.slice(...visible(line));
  return clean(shown.includes("\x1b") ? shown.replace(SEQUENCE, "") : shown);
}

/** From after the last carriage return that something follows, to the end. */
function visible(line) {
  const end = line.endsWith("\r") ? line.length - 1 : line.length;
  return [line.lastIndexOf("\r", end - 1) + 1, end];
}

const clean = (text) => text.replace(/\t/g, "    ").replace(/[\x00-\x08\x0b-\x1f\x7f]/g, "");

// ---- styles: "b" bold, "d" faint, "i" italic, "u" underlined, "s" struck, "r" reversed, and f…, g… for the colours, in that order

const FLAGS = { 1: "b", 2: "d", 3: "i", 4: "u", 7: "r", 9: "s" };
const ENDS = { 22: "bd", 23: "i", 24: "u", 27: "r", 29: "s" };

function applied(style, parameters) {
  let [flags, front, back] = style ? style.split("|") : ["", "", ""];
  const codes = parameters.replaceAll(":", ";").split(";").map(Number);
  for (let index = 0; index < codes.length; index++) {
    const code = codes[index];
    if (code === 0) [flags, front, back] = ["", "", ""];
    else if (FLAGS[code]) flags += flags.includes(FLAGS[code]) ? "" : FLAGS[code];
    else if (ENDS[code]) flags = [...flags].filter((flag) => !ENDS[code].includes(flag)).join("");
    else if (code >= 30 && code <= 37) front = String(code - 30);
    else if (code >= 90 && code <= 97) front = String(code - 82);
    else if (code === 39) front = "";
    else if (code >= 40 && code <= 47) back = String(code - 40);
    else if (code >= 100 && code <= 107) back = String(code - 92);
    else if (code === 49) back = "";
    else if (code === 38 || code === 48) {
      const [color, used] = extended(codes, index + 1);
      index += used;
      if (code === 38) front = color;
      else back = color;
    }
  }
  return flags || front || back ? `${flags}|${front}|${back}` : PLAIN;
}

/** `5;n` or `2;r;g;b`: the colour, and how many codes it took. */
function extended(codes, at) {
  const byte = (value) => Math.max(0, Math.min(255, value || 0));
  if (codes[at] === 5) return [indexed(byte(codes[at + 1])), 2];
  if (codes[at] === 2) return [`rgb(${byte(codes[at + 1])} ${byte(codes[at + 2])} ${byte(codes[at + 3])})`, 4];
  return ["", 1];
}

function indexed(number) {
  if (number < 16) return String(number);
  if (number >= 232) return `rgb(${Array(3).fill(8 + (number - 232) * 10).join(" ")})`;
  const level = (value) => (value ? 55 + value * 40 : 0);
  const cube = number - 16;
  return `rgb(${level(Math.floor(cube / 36))} ${level(Math.floor(cube / 6) % 6)} ${level(cube % 6)})`;
}

/** Give the element this style: classes for the sixteen colours, which follow the theme, and properties for the others. */
export function paint(node, style) {
  if (!style) return node;
  let [flags, front, back] = style.split("|");
  if (flags.includes("r")) [front, back] = [back || "ground", front || "text"];
  const named = (color, prefix) => color && !color.startsWith("rgb") && node.classList.add(`${prefix}-${color}`);
  for (const flag of flags) if (flag !== "r") node.classList.add(`sgr-${flag}`);
  named(front, "fg");
  named(back, "bg");
  if (front.startsWith("rgb")) node.style.color = front;
  if (back.startsWith("rgb")) node.style.backgroundColor = back;
  return node;
}
