// The visitor's account: placing and taking back orders, and what came of them, as the account's own channel tells.

import { element, memory, randomId, setText } from "../ui.js";
import { asPrice } from "./canvas.js";

const GONE = 1400; // milliseconds that an order stays to be seen after it was filled
const NUMBER = new Intl.NumberFormat("en");
const SIDES = { bid: "Buy", ask: "Sell" };
const DONE = { bid: "Bought", ask: "Sold" };

/** Whoever knows the key is the owner: all tabs of this browser. */
function ownKey() {
  const key = memory.read("market-account", "");
  if (/^[a-z0-9-]{16,64}$/.test(key)) return key;
  const made = randomId(16);
  memory.write("market-account", made);
  return made;
}

export class Orders {
  sent = 0;
  refused = 0;
  #account; // as it was told last
  #rows = new Map(); // order's id → its row
  #run = "";
  #channel;

  /** `parts`: list, fills, holdings, said. `changed()` after each news. */
  constructor(client, { seed, parts, changed }) {
    Object.assign(this, { client, seed, parts, changed, key: ownKey() });
  }

  /** The exchange was opened as `run`: accounts are of one opening. */
  begin(run) {
    if (run === this.#run) return;
    this.#channel?.unsubscribe();
    this.#run = run;
    this.#account = undefined;
    this.#rows.clear();
    this.parts.list.replaceChildren();
    this.#show();
    this.#channel = this.client.channel(`market-account:${run}:${this.key}`);
    this.#channel.on("publication", ({ data }) => this.#take(data));
  }

  async place({ symbol, side, price, quantity }) {
    this.sent++;
    try {
      const { filled, rests } = await this.client.rpc("market.order", { seed: this.seed, account: this.key, symbol, side, price, quantity });
      if (rests && filled) this.#say(`${DONE[side]} ${filled} ${symbol}; ${rests} wait at ${asPrice(price)}`);
      else if (rests) this.#say(`${SIDES[side]} ${rests} ${symbol} at ${asPrice(price)}: waiting`);
      else this.#say(filled ? `${DONE[side]} ${filled} ${symbol}` : "nobody to trade with");
    } catch (error) {
      this.#refuse(error);
    }
  }

  /** Prices of open orders for this symbol. */
  prices(symbol) {
    const orders = Object.values(this.#account?.orders ?? {});
    return new Set(orders.filter((order) => order.symbol === symbol).map(({ price }) => price));
  }

  get account() {
    return this.#account;
  }

  async #cancel({ id, symbol }) {
    this.sent++;
    try {
      const wasThere = await this.client.rpc("market.cancel", { seed: this.seed, account: this.key, symbol, id });
      this.#say(wasThere ? "taken back" : "too late: it was filled");
    } catch (error) {
      this.#refuse(error);
    }
  }

  #refuse(error) {
    this.refused++;
    this.#say(error.message, true);
  }

  #say(text, isBad = false) {
    setText(this.parts.said, text);
    this.parts.said.classList.toggle("bad", isBad);
  }

  #take(account) {
    const before = this.#account;
    this.#account = account;
    for (const order of Object.values(account.orders)) this.#row(order, before?.orders[order.id]);
    const filled = new Set(account.fills.map(({ order }) => order));
    for (const [id, row] of this.#rows) {
      if (account.orders[id] || row.isGoing) continue;
      row.isGoing = true;
      if (filled.has(id)) {
        row.bar.style.setProperty("--share", 1);
        row.part.classList.add("is-done");
        setText(row.note, "filled");
      }
      setTimeout(() => {
        row.part.remove();
        this.#rows.delete(id);
        this.#show();
      }, filled.has(id) ? GONE : 0);
    }
    this.#show();
    this.changed();
  }

  #row(order, before) {
    const row = this.#rows.get(order.id) ?? this.#add(order);
    setText(row.note, `${NUMBER.format(order.filled)} / ${NUMBER.format(order.quantity)}`);
    row.bar.style.setProperty("--share", order.filled / order.quantity);
    if (before && before.filled !== order.filled) pulse(row.part);
  }

  #add(order) {
    const words = element("span", {}, element("b", { className: order.side }, SIDES[order.side]), ` ${order.symbol} `, element("span", { className: "digits" }, asPrice(order.price)));
    const note = element("span", { className: "note digits" });
    const bar = element("i");
    const cancel = element("button", { type: "button", className: "cancel", ariaLabel: `Take back: ${SIDES[order.side]} ${order.symbol} at ${asPrice(order.price)}`, dataset: { testid: "cancel" } }, "×");
    cancel.addEventListener("click", () => this.#cancel(order));
    const part = element("li", { className: "order", dataset: { testid: "open-order", id: order.id } }, words, note, cancel, element("span", { className: "track" }, bar));
    this.parts.list.prepend(part);
    const row = { part, note, bar, isGoing: false };
    this.#rows.set(order.id, row);
    return row;
  }

  #show() {
    const { holdings = {}, cash = 10_000_000, fills = [] } = this.#account ?? {};
    this.parts.list.classList.toggle("is-empty", !this.#rows.size);
    const held = Object.entries(holdings).filter(([, quantity]) => quantity);
    setText(this.parts.holdings, [`${NUMBER.format(Math.round(cash / 100))} cash`, ...held.map(([symbol, quantity]) => `${NUMBER.format(quantity)} ${symbol}`)].join(" · "));
    const lines = [...fills].reverse().slice(0, 4);
    while (this.parts.fills.children.length < lines.length) this.parts.fills.append(element("li"));
    while (this.parts.fills.children.length > lines.length) this.parts.fills.lastElementChild.remove();
    lines.forEach(({ side, quantity, symbol, price }, index) => setText(this.parts.fills.children[index], `${DONE[side]} ${NUMBER.format(quantity)} ${symbol} at ${asPrice(price)}`));
  }
}

function pulse(node) {
  node.classList.remove("is-filled");
  void node.offsetWidth; // so that the animation begins again
  node.classList.add("is-filled");
}
