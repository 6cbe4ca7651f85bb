// The ticker: the newest quote of every symbol, and the choice of one.

import { element, setText } from "../ui.js";
import { asPrice } from "./canvas.js";

export class Ticker {
  #cards = new Map();

  constructor(host, { chosen }) {
    Object.assign(this, { host, chosen, current: "" });
    host.addEventListener("change", ({ target }) => this.chosen(target.value));
  }

  choose(symbol) {
    this.current = symbol;
    const card = this.#cards.get(symbol);
    if (card) card.radio.checked = true;
  }

  take({ symbol, name, last, first }) {
    const card = this.#cards.get(symbol) ?? this.#add(symbol, name);
    const change = ((last - first) / first) * 100;
    setText(card.price, asPrice(last));
    setText(card.change, `${change < 0 ? "−" : "+"}${Math.abs(change).toFixed(2)} %`);
    card.change.className = change < 0 ? "ask" : "bid";
    if (card.last !== undefined && card.last !== last) flash(card.price, last > card.last);
    card.last = last;
  }

  #add(symbol, name) {
    const radio = element("input", { type: "radio", name: "symbol", value: symbol, checked: symbol === this.current });
    const price = element("span", { className: "quote-price", dataset: { testid: `last-${symbol}` } });
    const change = element("span");
    const card = element("label", { className: "quote", dataset: { testid: `symbol-${symbol}` } }, radio,
      element("span", { className: "quote-name" }, element("b", {}, symbol), element("small", {}, name)), price, change);
    this.#cards.set(symbol, { radio, price, change, card });
    const inOrder = [...this.#cards.keys()].sort();
    this.host.append(...inOrder.map((each) => this.#cards.get(each).card));
    return this.#cards.get(symbol);
  }
}

/** Green or red for a moment. */
export function flash(node, isUp) {
  node.classList.remove("up", "down");
  void node.offsetWidth; // so that the animation begins again
  node.classList.add(isUp ? "up" : "down");
}
