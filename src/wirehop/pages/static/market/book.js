// A copy of an order book: what a snapshot says, and what diffs have changed since. It knows no channel.
//
// Every change of the book has a number. A diff has those after `prev` up to `seq`, and says of each price what stands
// there now, so one that begins before the book's own number and ends after it fits as well.

export class Book {
  run = ""; // which opening of the exchange it is of
  seq = 0;
  #sides = { b: new Map(), a: new Map() }; // price → quantity
  #sorted = { b: undefined, a: undefined };

  get isEmpty() {
    return this.run === "";
  }

  load({ run, seq, bids, asks }) {
    Object.assign(this, { run, seq });
    this.#sides = { b: new Map(bids), a: new Map(asks) };
    this.#sorted = { b: undefined, a: undefined };
  }

  /** “applied”, “old” (nothing new in it), or “gap”: something before it is missing, and it was not applied. */
  apply({ run, prev, seq, levels }) {
    if (run !== this.run || prev > this.seq) return "gap";
    if (seq <= this.seq) return "old";
    for (const [side, price, quantity] of levels) {
      if (quantity) this.#sides[side].set(price, quantity);
      else this.#sides[side].delete(price);
      this.#sorted[side] = undefined;
    }
    this.seq = seq;
    return "applied";
  }

  /** [price, quantity] of the bids (“b”) or the asks (“a”), the best first. */
  levels(side) {
    return (this.#sorted[side] ??= [...this.#sides[side]].sort(side === "b" ? ([x], [y]) => y - x : ([x], [y]) => x - y));
  }

  best(side) {
    return this.levels(side)[0]?.[0];
  }
}
