// The lanes of the race: every message a dot that comes in at the left and glides away; the later it was, the lower it lies.

import { resolved } from "./colors.js";

const SECONDS = 4; // that a dot is seen for
const RADIUS = 3;
const NEAR = 14; // pixels that a click may be off by
const CALM = matchMedia("(prefers-reduced-motion: reduce)");

export class Lane {
  #dots = [];
  #scale = 20; // milliseconds from top to bottom
  #isOn = false;

  /** `picked(number)`: a dot was clicked. */
  constructor(canvas, color, picked) {
    Object.assign(this, { canvas, color });
    this.restyle();
    addEventListener("themechange", () => {
      this.restyle();
      this.draw();
    });
    this.context = canvas.getContext("2d");
    canvas.addEventListener("click", ({ offsetX, offsetY }) => {
      const near = this.#nearest(offsetX, offsetY);
      if (near) picked(near.number);
    });
    new ResizeObserver(() => this.#resize()).observe(canvas);
    this.#resize();
  }

  /** The newest dot; undefined for none. */
  get newest() {
    return this.#dots.at(-1)?.number;
  }

  restyle() {
    this.dot = resolved(this.canvas, this.color);
    this.soft = resolved(this.canvas, "--text-soft");
  }

  clear() {
    this.#dots = [];
    this.#scale = 20;
    this.draw();
  }

  add({ number, latency, arrived }) {
    this.#dots.push({ number, latency, arrived });
    if (this.#dots.length > 4000) this.#dots.splice(0, 1000);
    if (latency > this.#scale) this.#scale = latency * 1.1;
  }

  /** Draw until `stop`. */
  run() {
    if (this.#isOn) return;
    this.#isOn = true;
    let drawn = 0;
    const frame = (time) => {
      if (!this.#isOn) return;
      if (time - drawn > (CALM.matches ? 500 : 33)) {
        drawn = time;
        this.draw();
      }
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }

  /** The dots stay where they are. */
  stop() {
    this.#isOn = false;
    this.stopped = performance.now();
    this.draw();
  }

  #resize() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const ratio = devicePixelRatio || 1;
    this.canvas.width = Math.max(1, Math.round(width * ratio));
    this.canvas.height = Math.max(1, Math.round(height * ratio));
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.draw();
  }

  #place({ latency, arrived }, now) {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const x = ((now - arrived) / 1000 / SECONDS) * width;
    const y = RADIUS + 2 + Math.min(1, Math.max(0, latency) / this.#scale) * (height - 2 * RADIUS - 4);
    return [x, y];
  }

  get #now() {
    return this.#isOn ? performance.now() : (this.stopped ?? performance.now());
  }

  #nearest(x, y) {
    const now = this.#now;
    let best = null;
    let distance = NEAR ** 2;
    for (const dot of this.#dots.slice(-2000)) {
      const [left, top] = this.#place(dot, now);
      const away = (left - x) ** 2 + (top - y) ** 2;
      if (away < distance) [best, distance] = [dot, away];
    }
    return best;
  }

  draw() {
    const { context, canvas } = this;
    context.clearRect(0, 0, canvas.clientWidth, canvas.clientHeight);
    context.fillStyle = this.dot;
    const now = this.#now;
    for (let index = this.#dots.length - 1; index >= 0; index--) {
      const [x, y] = this.#place(this.#dots[index], now);
      if (x > canvas.clientWidth + RADIUS) break;
      context.globalAlpha = Math.max(0.15, 1 - x / canvas.clientWidth);
      context.beginPath();
      context.arc(x, y, RADIUS, 0, 2 * Math.PI);
      context.fill();
    }
    context.globalAlpha = 1;
    context.fillStyle = this.soft;
    context.font = "11px system-ui, sans-serif";
    context.textAlign = "right";
    context.fillText(`${Math.round(this.#scale)} ms`, canvas.clientWidth - 4, canvas.clientHeight - 4);
  }
}
