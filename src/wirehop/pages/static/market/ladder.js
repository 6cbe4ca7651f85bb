// The order book as a ladder: asks above, bids below, the spread between them. Rows stay, their texts change.

import { element, setText } from "../ui.js";
import { asPrice } from "./canvas.js";

const ROWS = 15; // of each side
const NUMBER = new Intl.NumberFormat("en");

export class Ladder {
  #rows;
  #taken;

  /** `picked(price)`: a price was clicked. */
  constructor(table, { picked }) {
    this.table = table;
    this.spread = table.querySelector("[data-testid=spread]");
    this.#rows = { a: this.#build(table.querySelector("[data-testid=asks]")).reverse(), b: this.#build(table.querySelector("[data-testid=bids]")) };
    table.addEventListener("click", ({ target }) => {
      const price = Number(target.closest("tr")?.dataset.price);
      if (price) picked(price);
    });
  }

  #build(body) {
    const rows = Array.from({ length: ROWS }, () => element("tr", {}, ...Array.from({ length: 3 }, () => element("td"))));
    body.replaceChildren(...rows);
    return rows;
  }

  /** `mine` are prices at which the visitor has orders. */
  show(symbol, book, mine) {
    const { dataset } = this.table;
    Object.assign(dataset, { symbol, seq: book.seq });
    const most = Math.max(1, ...["b", "a"].map((side) => book.levels(side).slice(0, ROWS).reduce((sum, [, quantity]) => sum + quantity, 0)));
    for (const side of ["b", "a"]) {
      const levels = book.levels(side);
      let total = 0;
      this.#rows[side].forEach((row, index) => {
        const [price, quantity] = levels[index] ?? [];
        total += quantity ?? 0;
        this.#fill(row, price, quantity, total, most, price !== undefined && mine.has(price));
      });
    }
    const [bid, ask] = [book.best("b"), book.best("a")];
    const isBoth = bid !== undefined && ask !== undefined;
    setText(this.spread, isBoth ? `${asPrice(ask - bid)} · ${(((ask - bid) / ask) * 10_000).toFixed(1)} bp` : "–");
  }

  #fill(row, price, quantity, total, most, isMine) {
    const texts = price === undefined ? ["", "", ""] : [asPrice(price), NUMBER.format(quantity), NUMBER.format(total)];
    texts.forEach((text, column) => setText(row.cells[column], text));
    const share = price === undefined ? "0%" : `${((total / most) * 100).toFixed(1)}%`;
    if (row.share !== share) row.style.setProperty("--share", (row.share = share));
    if (row.dataset.price !== String(price ?? "")) row.dataset.price = price ?? "";
    if (row.dataset.mine !== String(isMine)) row.dataset.mine = isMine;
  }
}
