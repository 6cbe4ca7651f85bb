// One symbol's book, kept up to date: subscribe, put what comes by, fetch a snapshot, apply what was put by, go on.
// Where something is missing it does the same again, by itself. This is the recipe of the exchanges.

import { Book } from "./book.js";

const MOST_WAITING = 600; // diffs that are put by; of more the oldest go, and the next snapshot is a newer one
const AGAIN = 400; // milliseconds after a snapshot that could not be had

export class BookFeed {
  book = new Book();
  state = "loading"; // then “live”, and “resyncing” while something is missing
  problem = ""; // why there is no snapshot
  age = 0; // the newest diff's, when it came: milliseconds behind the fastest one
  heardAt = performance.now();
  #waiting = [];
  #isSyncing = false;
  #isClosed = false;
  #losesNext = false;
  #fastest = Infinity; // between two clocks and a network: the least difference that was seen

  /** `counts` is added to: changes, levels, diffs, gaps, resyncs, and `resyncMilliseconds` of the last one. */
  constructor(client, { seed, symbol, feed, counts, watch, changed }) {
    Object.assign(this, { client, seed, symbol, feed, counts, changed });
    this.channel = client.channel(`market:${seed}:${symbol}:${feed}`);
    watch(this.channel);
    this.channel.on("subscribed", ({ recovered }) => recovered || this.resync());
    this.channel.on("publication", ({ data }) => this.#take(data));
  }

  close() {
    this.#isClosed = true;
    this.channel.unsubscribe();
  }

  /** The next diff with changes is lost on its way, as it were. */
  loseNext() {
    this.#losesNext = true;
  }

  /** Begin anew from a snapshot. What is shown stays until it is there. */
  async resync() {
    if (this.#isSyncing || this.#isClosed) return;
    this.#isSyncing = true;
    const began = performance.now();
    const isFirst = this.book.isEmpty;
    this.state = isFirst ? "loading" : "resyncing";
    this.changed();
    while (!this.#isClosed && !(await this.#load()));
    this.#isSyncing = false;
    if (this.#isClosed) return;
    this.state = "live";
    if (!isFirst) {
      this.counts.resyncs++;
      this.counts.resyncMilliseconds = performance.now() - began;
    }
    this.changed();
  }

  /** A snapshot, and what was put by: whether that fits. */
  async #load() {
    try {
      const snapshot = await this.client.rpc("market.snapshot", { seed: this.seed, symbol: this.symbol });
      if (this.#isClosed) return false;
      this.book.load(snapshot);
      this.problem = "";
      this.#heard(snapshot.at);
      const waiting = this.#waiting.splice(0).filter(({ run }) => run === snapshot.run);
      return waiting.every((diff) => this.book.apply(diff) !== "gap");
    } catch (error) {
      this.problem = error.message; // and once more
      this.changed();
      await new Promise((done) => setTimeout(done, AGAIN));
      return false;
    }
  }

  #take(diff) {
    if (this.#losesNext && diff.levels.length) {
      this.#losesNext = false;
      return;
    }
    this.#heard(diff.at);
    this.counts.diffs++;
    this.counts.changes += diff.seq - diff.prev;
    this.counts.levels += diff.levels.length;
    if (this.#isSyncing || this.book.isEmpty) {
      if (this.#waiting.push(diff) > MOST_WAITING) this.#waiting.shift();
    } else if (this.book.apply(diff) === "gap") {
      this.counts.gaps++;
      this.#waiting.push(diff);
      this.resync();
    }
    this.changed();
  }

  #heard(at) {
    const difference = Date.now() - at;
    this.#fastest = Math.min(difference, this.#fastest + 1); // creeps up, for clocks that drift apart
    this.age = difference - this.#fastest;
    this.heardAt = performance.now();
  }
}
