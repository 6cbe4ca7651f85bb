// What helpers point at and draw, over a surface or over its picture. Everything is kept in parts of its width and height
// (0 to 1), so it stays where it belongs at any size and zoom.

import { element } from "../ui.js";

const SVG = "http://www.w3.org/2000/svg";
const FADE_AFTER = 3500; // milliseconds after the last point of a stroke
const FADE_FOR = 900;
const STILL_AFTER = 8000; // a pointer that does not move is taken away
const MOST_STROKES = 60;
const MOST_POINTS = 2000;
const MOST_POINTERS = 8;

const isPart = (value) => typeof value === "number" && value >= 0 && value <= 1;

/** A hue that belongs to somebody. */
export function hueOf(text) {
  let sum = 0;
  for (const letter of text) sum = (sum * 31 + letter.codePointAt(0)) % 100_003;
  return Math.round(sum * 137.508) % 360; // neighbours are far from each other
}

export class Overlay {
  #pointers = new Map(); // who → {node, timer}
  #strokes = new Map(); // who and stroke → {line, count, timers}

  constructor(host) {
    this.lines = document.createElementNS(SVG, "svg");
    this.lines.setAttribute("viewBox", "0 0 1 1");
    this.lines.setAttribute("preserveAspectRatio", "none");
    this.node = element("div", { className: "overlay", ariaHidden: "true", dataset: { testid: "overlay" } }, this.lines);
    host.append(this.node);
  }

  point(who, name, { x, y }) {
    if (!isPart(x) || !isPart(y)) return this.unpoint(who);
    let pointer = this.#pointers.get(who);
    if (!pointer) {
      if (this.#pointers.size >= MOST_POINTERS) return;
      const node = element("div", { className: "pointer", dataset: { testid: "remote-pointer" } }, arrow(), element("b", {}, name.slice(0, 24)));
      node.style.setProperty("--hue", hueOf(name));
      this.#pointers.set(who, (pointer = { node }));
      this.node.append(node);
    }
    pointer.node.style.left = `${x * 100}%`;
    pointer.node.style.top = `${y * 100}%`;
    clearTimeout(pointer.timer);
    pointer.timer = setTimeout(() => this.unpoint(who), STILL_AFTER);
  }

  unpoint(who) {
    const pointer = this.#pointers.get(who);
    if (!pointer) return;
    clearTimeout(pointer.timer);
    pointer.node.remove();
    this.#pointers.delete(who);
  }

  /** Some more points, `[[x, y], …]`, of a stroke. */
  draw(who, name, { stroke, points }) {
    if (!Array.isArray(points) || !points.every((point) => Array.isArray(point) && point.length === 2 && point.every(isPart))) return;
    const key = `${who} ${stroke}`;
    let drawn = this.#strokes.get(key);
    if (!drawn) {
      if (this.#strokes.size >= MOST_STROKES) this.#erase(this.#strokes.keys().next().value);
      const line = document.createElementNS(SVG, "polyline");
      line.style.setProperty("--hue", hueOf(name));
      line.dataset.testid = "stroke";
      this.#strokes.set(key, (drawn = { line, count: 0 }));
      this.lines.append(line);
    }
    for (const [x, y] of points.slice(0, MOST_POINTS - drawn.count)) {
      drawn.line.points.appendItem(Object.assign(this.lines.createSVGPoint(), { x, y }));
      drawn.count += 1;
    }
    clearTimeout(drawn.timer);
    drawn.timer = setTimeout(() => {
      drawn.line.classList.add("fading");
      drawn.timer = setTimeout(() => this.#erase(key), FADE_FOR);
    }, FADE_AFTER);
  }

  /** Somebody has gone: what is theirs goes too. */
  forget(who) {
    this.unpoint(who);
    for (const key of this.#strokes.keys()) if (key.startsWith(`${who} `)) this.#erase(key);
  }

  remove() {
    for (const who of this.#pointers.keys()) this.unpoint(who);
    for (const key of this.#strokes.keys()) this.#erase(key);
    this.node.remove();
  }

  #erase(key) {
    const stroke = this.#strokes.get(key);
    if (!stroke) return;
    clearTimeout(stroke.timer);
    stroke.line.remove();
    this.#strokes.delete(key);
  }
}

function arrow() {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 18 22");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", "M1 1l15 12.5-7 .9-4 6z");
  svg.append(path);
  return svg;
}
