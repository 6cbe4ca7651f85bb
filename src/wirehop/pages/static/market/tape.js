// The tape: the newest trades, on top. Rows stay, their texts change.

import { element, setText } from "../ui.js";
import { asPrice } from "./canvas.js";

const ROWS = 14;
const TIME = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

export class Tape {
  #trades = [];
  #more = 0; // that were only summed up by the server

  constructor(body, more) {
    this.more = more;
    this.rows = Array.from({ length: ROWS }, () => element("tr", {}, ...Array.from({ length: 3 }, () => element("td"))));
    body.replaceChildren(...this.rows);
  }

  clear() {
    this.#trades = [];
    this.#more = 0;
    this.show();
  }

  /** Oldest first. Those that are known are not taken twice. */
  take(trades, more = 0) {
    const newest = this.#trades[0]?.id ?? 0;
    const fresh = trades.filter(({ id }) => id > newest).reverse();
    this.#trades = [...fresh, ...this.#trades].slice(0, ROWS);
    this.#more += more;
  }

  show() {
    this.rows.forEach((row, index) => {
      const trade = this.#trades[index];
      const texts = trade ? [TIME.format(trade.at), asPrice(trade.price), trade.quantity.toLocaleString("en")] : ["", "", ""];
      texts.forEach((text, column) => setText(row.cells[column], text));
      const side = trade?.side ?? "";
      if (row.dataset.side !== side) row.dataset.side = side;
    });
    setText(this.more, this.#more ? `${this.#more.toLocaleString("en")} more not shown` : "\u00a0");
  }
}
