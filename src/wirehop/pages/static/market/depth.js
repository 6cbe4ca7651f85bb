// The depth chart: how much can be bought or sold up to which price.

import { Canvas, asPrice, marks } from "./canvas.js";

const LEVELS = 40; // of each side
const BOTTOM = 20;

export class Depth {
  constructor(canvas) {
    this.book = undefined;
    this.canvas = new Canvas(canvas, { every: 150, draw: (surface) => this.#draw(surface) });
  }

  show(book) {
    const isOther = book !== this.book;
    this.book = book;
    if (isOther) this.canvas.now();
    else this.canvas.soon();
  }

  #draw({ context, width, height, colors, pale }) {
    const bids = this.book?.levels("b").slice(0, LEVELS) ?? [];
    const asks = this.book?.levels("a").slice(0, LEVELS) ?? [];
    if (!bids.length || !asks.length) return;
    const middle = (bids[0][0] + asks[0][0]) / 2;
    const reach = Math.max(5, Math.min(middle - bids.at(-1)[0], asks.at(-1)[0] - middle));
    const sum = (levels) => levels.reduce((total, [, quantity]) => total + quantity, 0);
    const most = Math.max(sum(bids), sum(asks));
    const floor = height - BOTTOM;
    const x = (price) => ((price - middle + reach) / (2 * reach)) * width;
    for (const [side, levels, edge] of [["bid", bids, 0], ["ask", asks, width]]) {
      context.beginPath();
      context.moveTo(x(levels[0][0]), floor);
      let total = 0;
      for (const [price, quantity] of levels) {
        context.lineTo(x(price), floor - (total / most) * (floor - 10));
        total += quantity;
        context.lineTo(x(price), floor - (total / most) * (floor - 10));
      }
      context.lineTo(edge, floor - (total / most) * (floor - 10));
      context.strokeStyle = colors[side];
      context.lineWidth = 1.5;
      context.stroke();
      context.lineTo(edge, floor);
      context.fillStyle = pale[side];
      context.fill();
    }
    context.textBaseline = "middle";
    context.textAlign = "center";
    context.fillStyle = colors.soft;
    for (const price of marks(middle - reach, middle + reach, 5)) {
      if (x(price) > 24 && x(price) < width - 24) context.fillText(asPrice(price), x(price), height - 8);
    }
    context.textAlign = "start";
    context.fillStyle = colors.line;
    context.fillRect(0, floor, width, 1);
  }
}
