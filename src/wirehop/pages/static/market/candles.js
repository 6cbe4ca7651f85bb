// Candles and volume of one symbol, the newest at the right.

import { Canvas, asPrice, marks } from "./canvas.js";

const WIDTH = 9; // pixels of a candle with its space
const RIGHT = 52; // for the prices
const BOTTOM = 20; // for the times
const MOST = 200;
const TIME = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });

export class Candles {
  #candles = []; // {at, open, high, low, close, volume}, oldest first
  #last;

  constructor(canvas, legend) {
    Object.assign(this, { legend, hover: undefined });
    this.canvas = new Canvas(canvas, { every: 200, draw: (surface) => this.#draw(surface) });
    canvas.addEventListener("pointermove", ({ offsetX }) => this.#point(offsetX));
    canvas.addEventListener("pointerleave", () => this.#point(undefined));
  }

  clear() {
    this.#candles = [];
    this.#last = undefined;
    this.canvas.now();
  }

  /** These are as they are now; one that is known already has changed. */
  take(candles) {
    for (const candle of candles) {
      let place = this.#candles.length;
      while (place > 0 && this.#candles[place - 1].at >= candle.at) place--;
      this.#candles.splice(place, this.#candles[place]?.at === candle.at ? 1 : 0, candle);
    }
    this.#candles.splice(0, Math.max(0, this.#candles.length - MOST));
    this.canvas.soon();
  }

  price(last) {
    if (last === this.#last) return;
    this.#last = last;
    this.canvas.soon();
  }

  #point(x) {
    this.hover = x;
    this.canvas.soon();
  }

  #draw(surface) {
    const { width, height } = surface;
    const inner = width - RIGHT;
    const shown = this.#candles.slice(-Math.max(1, Math.floor(inner / WIDTH)));
    if (!shown.length || inner < WIDTH) return this.#say(undefined);
    const last = this.#last ?? shown.at(-1).close;
    const low = Math.min(last, ...shown.map((candle) => candle.low));
    const high = Math.max(last, ...shown.map((candle) => candle.high));
    const floor = height - BOTTOM;
    const room = floor * 0.8;
    const scale = {
      inner,
      floor,
      most: Math.max(...shown.map(({ volume }) => volume)),
      x: (index) => inner - (shown.length - index) * WIDTH,
      y: (price) => 8 + (room - 8) * (1 - (price - low) / Math.max(1, high - low)),
    };
    surface.context.textBaseline = "middle";
    this.#drawGrid(surface, scale, marks(low, high, 4), last);
    shown.forEach((candle, index) => this.#drawCandle(surface, scale, candle, scale.x(index)));
    this.#drawLast(surface, scale, last, last >= shown.at(-1).open ? "bid" : "ask");

    const under = this.hover === undefined ? undefined : shown[Math.floor((this.hover - scale.x(0)) / WIDTH)];
    if (under) {
      surface.context.fillStyle = surface.colors.soft;
      surface.context.fillRect(scale.x(shown.indexOf(under)) + WIDTH / 2 - 0.5, 0, 1, floor);
    }
    this.#say(under ?? shown.at(-1));
  }

  #drawGrid({ context, colors }, { inner, y }, prices, last) {
    for (const price of prices) {
      context.fillStyle = colors.line;
      context.fillRect(0, Math.round(y(price)), inner, 1);
      context.fillStyle = colors.soft;
      if (Math.abs(y(price) - y(last)) > 13) context.fillText(asPrice(price), inner + 8, y(price));
    }
  }

  #drawCandle({ context, height, colors, pale }, { floor, most, y }, { at, open, high, low, close, volume }, x) {
    const side = close >= open ? "bid" : "ask";
    if (at % 60 === 0 && x > 16) {
      context.fillStyle = colors.soft;
      context.textAlign = "center";
      context.fillText(TIME.format(at * 1000), x + WIDTH / 2, height - 8);
      context.textAlign = "start";
    }
    context.fillStyle = pale[side];
    const tall = (volume / most) * floor * 0.17;
    context.fillRect(x + 1, floor - tall, WIDTH - 2, tall);
    context.fillStyle = colors[side];
    context.fillRect(x + WIDTH / 2 - 0.5, y(high), 1, Math.max(1, y(low) - y(high)));
    context.fillRect(x + 1.5, y(Math.max(open, close)), WIDTH - 3, Math.max(1.5, Math.abs(y(open) - y(close))));
  }

  /** A dotted line at the last price, and the price beside it. */
  #drawLast({ context, colors }, { inner, y }, last, side) {
    const height = Math.round(y(last)) + 0.5;
    context.strokeStyle = context.fillStyle = colors[side];
    context.setLineDash([2, 3]);
    context.beginPath();
    context.moveTo(0, height);
    context.lineTo(inner, height);
    context.stroke();
    context.setLineDash([]);
    context.beginPath();
    context.roundRect(inner + 2, height - 9, RIGHT - 4, 18, 5);
    context.fill();
    context.fillStyle = colors.ground;
    context.fillText(asPrice(last), inner + 8, height + 0.5);
  }

  #say(candle) {
    const values = ["open", "high", "low", "close"].map((name) => asPrice(candle?.[name]));
    values.push(candle ? candle.volume.toLocaleString("en") : "–");
    [...this.legend.querySelectorAll("b")].forEach((node, index) => node.textContent !== values[index] && (node.textContent = values[index]));
  }
}
