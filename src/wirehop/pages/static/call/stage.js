// The pictures: a tile for each person and for each shared screen, laid out so that they are as large as can be.
//
// It draws what it is told, and knows no room.

import { avatar } from "../chat/people.js";
import { element, setText } from "../ui.js";
import { icon } from "./icons.js";

const GAP = 10; // pixels
const WIDEST = 16 / 9;
const NARROWEST = 0.9;

/** Rectangles for so many tiles in a box; the last row is in the middle. */
function grid({ left, top, width, height }, count) {
  let best;
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns);
    let w = (width - GAP * (columns - 1)) / columns;
    let h = (height - GAP * (rows - 1)) / rows;
    if (w / h > WIDEST) w = h * WIDEST;
    if (w / h < NARROWEST) h = w / NARROWEST;
    if (!best || w * h > best.w * best.h) best = { columns, rows, w, h };
  }
  const { columns, rows, w, h } = best ?? {};
  const y = top + (height - rows * h - GAP * (rows - 1)) / 2;
  return Array.from({ length: count }, (_, index) => {
    const row = Math.floor(index / columns);
    const inRow = row < rows - 1 ? columns : count - columns * (rows - 1);
    const x = left + (width - inRow * w - GAP * (inRow - 1)) / 2;
    return { left: x + (index % columns) * (w + GAP), top: y + row * (h + GAP), width: w, height: h };
  });
}

/** Where the tiles go: all alike, or the first one large and the others beside or below it. */
export function arrange({ width, height }, count, isFirstLarge) {
  const box = { left: 0, top: 0, width, height };
  if (!isFirstLarge || count < 2) return grid(box, count);
  if (width > height) {
    const side = Math.max(130, Math.min(230, width * 0.2));
    const rest = { left: width - side, top: 0, width: side, height };
    return [{ ...box, width: width - side - GAP }, ...grid(rest, count - 1)];
  }
  const strip = Math.max(84, Math.min(150, height * 0.22));
  const rest = { left: 0, top: height - strip, width, height: strip };
  return [{ ...box, height: height - strip - GAP }, ...grid(rest, count - 1)];
}

class Tile {
  constructor({ id, source, isOwn, onPin }) {
    this.video = element("video", { autoplay: true, playsInline: true, muted: isOwn });
    this.person = element("span", { className: "avatar", ariaHidden: "true" });
    this.words = element("span");
    this.state = element("p", { className: "tile-state", hidden: true }, element("i", { ariaHidden: "true" }), this.words);
    this.muted = element("span", { className: "tile-muted", role: "img", ariaLabel: "microphone off", title: "Microphone off" }, icon("microphone-off"));
    this.label = element("span", { dataset: { testid: "tile-name" } });
    this.figure = element("b");
    this.network = element("span", { className: "tile-network", dataset: { testid: "tile-network" }, hidden: true },
      element("i", { ariaHidden: "true" }), element("i", { ariaHidden: "true" }), element("i", { ariaHidden: "true" }), this.figure);
    this.pin = element("button", { type: "button", className: "tile-pin", title: "Make this one large" }, icon("pin"));
    this.pin.addEventListener("click", onPin);
    const foot = element("div", { className: "tile-foot" }, element("span", { className: "tile-label" }, this.muted, this.label), this.network);
    this.node = element("div", { className: "tile", dataset: { testid: "tile", participant: id, source, own: String(isOwn) } }, this.video, this.person, this.state, foot, this.pin);
    this.video.addEventListener("resize", () => (this.node.dataset.shape = this.video.videoWidth < this.video.videoHeight ? "tall" : "wide"));
  }

  /** Show what is given; what is left out stays. */
  update({ name, title, stream, hasPicture, isMirrored, isMuted, isSpeaking, state, network, isPinned }) {
    const { node, video } = this;
    if (name !== undefined && node.dataset.name !== name) {
      node.dataset.name = name;
      const fresh = avatar(name);
      this.person.replaceWith(fresh);
      this.person = fresh;
    }
    if (title !== undefined) setText(this.label, title);
    if (stream !== undefined && video.srcObject !== stream) {
      video.srcObject = stream;
      if (stream) video.play().catch((error) => error.name === "NotAllowedError" && node.dispatchEvent(new Event("silenced", { bubbles: true })));
    }
    if (hasPicture !== undefined) node.dataset.picture = String(hasPicture);
    if (isMirrored !== undefined) node.classList.toggle("mirrored", isMirrored);
    if (isMuted !== undefined) {
      node.dataset.muted = String(isMuted);
      this.muted.hidden = !isMuted;
    }
    if (isSpeaking !== undefined) node.dataset.speaking = String(isSpeaking);
    if (state !== undefined) this.#showState(state);
    if (network) this.#showNetwork(network);
    if (isPinned !== undefined) {
      this.pin.setAttribute("aria-pressed", String(isPinned));
      this.pin.setAttribute("aria-label", isPinned ? "Back to the grid" : `Make ${name ?? node.dataset.name} large`);
    }
  }

  #showState(state) {
    this.node.dataset.state = state;
    const words = { connecting: "Connecting…", reconnecting: "Reconnecting…", failed: "No path found; trying again…" }[state] ?? "";
    this.state.hidden = !words;
    setText(this.words, words);
  }

  #showNetwork({ quality, figure, title }) {
    this.network.hidden = false;
    this.node.dataset.quality = quality;
    this.network.title = title;
    this.network.setAttribute("aria-label", title);
    setText(this.figure, figure);
  }
}

export class Stage {
  #tiles = new Map(); // key → tile, in the order in which they are shown
  #pinned = "";

  constructor(host) {
    this.host = host;
    new ResizeObserver(() => this.layout()).observe(host);
  }

  get size() {
    return this.#tiles.size;
  }

  /** Show a tile, made if it is not there yet. A screen that is new is large. */
  show(key, { id, source, isOwn = false, ...values }) {
    let tile = this.#tiles.get(key);
    if (!tile) {
      tile = new Tile({ id, source, isOwn, onPin: () => this.pin(this.#pinned === key ? "" : key) });
      this.#tiles.set(key, tile);
      this.host.append(tile.node);
      if (source === "screen" && !isOwn) this.#pinned = key;
      this.layout();
    }
    tile.update(values);
    return tile;
  }

  get(key) {
    return this.#tiles.get(key);
  }

  remove(key) {
    const tile = this.#tiles.get(key);
    if (!tile) return;
    tile.video.srcObject = null;
    tile.node.remove();
    this.#tiles.delete(key);
    if (this.#pinned === key) this.#pinned = "";
    this.layout();
  }

  clear() {
    for (const key of [...this.#tiles.keys()]) this.remove(key);
  }

  /** Make one large; `""` for all alike. */
  pin(key) {
    this.#pinned = key;
    this.layout();
  }

  speakTo(speaker) {
    for (const { video, node } of this.#tiles.values()) if (node.dataset.own !== "true") video.setSinkId?.(speaker).catch(() => {});
  }

  /** After something has kept the browser from playing: to be called from a click. */
  playAll() {
    for (const { video } of this.#tiles.values()) if (video.srcObject) video.play().catch(() => {});
  }

  layout() {
    const { clientWidth: width, clientHeight: height } = this.host;
    if (!width || !height || !this.#tiles.size) return;
    const keys = [...this.#tiles.keys()].sort((a, b) => (b === this.#pinned) - (a === this.#pinned));
    const places = arrange({ width, height }, keys.length, !!this.#pinned);
    keys.forEach((key, index) => {
      const { node } = this.#tiles.get(key);
      const { left, top, ...size } = places[index];
      node.style.translate = `${Math.round(left)}px ${Math.round(top)}px`;
      node.style.width = `${Math.floor(size.width)}px`;
      node.style.height = `${Math.floor(size.height)}px`;
      node.classList.toggle("small", size.width < 240);
      this.#tiles.get(key).update({ isPinned: key === this.#pinned });
    });
  }
}
