// The page's knobs: how fast the market is, how much of it this page wants, a gap on request, and the order form.

import { byTestId, memory, setText } from "../ui.js";

const FEEDS = { all: "every change", 100: "10 a second", 250: "4 a second", 500: "2 a second", 1000: "1 a second" };
const NAMES = ["all", "100", "250", "500", "1000"]; // as the slider goes
const [SLOWEST, FASTEST, STEPS] = [10, 5000, 100];
const OVER = 2000; // milliseconds that rates are measured over

const paceAt = (place) => {
  const exact = SLOWEST * (FASTEST / SLOWEST) ** (place / STEPS);
  const unit = 10 ** (Math.floor(Math.log10(exact)) - 1);
  return Math.min(FASTEST, Math.round(exact / unit) * unit);
};
const placeOf = (pace) => Math.round((Math.log(pace / SLOWEST) / Math.log(FASTEST / SLOWEST)) * STEPS);
const count = (value) => (value >= 100 ? Math.round(value).toLocaleString("en") : value.toFixed(value < 10 ? 1 : 0));

export function mountControls(actions) {
  return new Controls(actions);
}

class Controls {
  #moments = []; // {at, …counts}, over the last seconds
  #isMoving = 0; // until when the pace is what this page has just asked for

  /** `actions`: order({side, price, quantity}), gap(), feed(name), pace(pace). */
  constructor(actions) {
    this.actions = actions;
    this.pace = byTestId("pace");
    this.feeds = byTestId("feed");
    this.price = byTestId("order-price");
    const kept = memory.read("market-feed", "all");
    this.feeds.value = Math.max(0, NAMES.indexOf(kept));
    this.#sayFeed();
    this.#listen();
  }

  get feed() {
    return NAMES[this.feeds.value];
  }

  #listen() {
    let timer;
    this.pace.addEventListener("input", () => {
      this.#isMoving = performance.now() + 1500;
      this.#sayPace(paceAt(this.pace.value));
      clearTimeout(timer);
      timer = setTimeout(() => this.#ask(paceAt(this.pace.value)), 150);
    });
    this.feeds.addEventListener("input", () => this.#sayFeed());
    this.feeds.addEventListener("change", () => {
      memory.write("market-feed", this.feed);
      this.actions.feed(this.feed);
    });
    byTestId("gap").addEventListener("click", () => this.actions.gap());
    const form = byTestId("order-form");
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const side = event.submitter?.value === "ask" ? "ask" : "bid";
      const price = byTestId("order-market").checked ? null : Math.round(Number(this.price.value) * 100);
      this.actions.order({ side, price, quantity: Math.round(Number(byTestId("order-quantity").value)) });
    });
    byTestId("order-market").addEventListener("change", ({ target }) => (this.price.disabled = target.checked));
  }

  async #ask(pace) {
    try {
      const given = await this.actions.pace(pace);
      if (given !== pace) this.setPace(given);
    } catch (error) {
      setText(byTestId("pace-said"), error.message);
    }
  }

  /** What the market does now, maybe by another page's wish. */
  setPace(pace) {
    if (performance.now() < this.#isMoving) return;
    const place = String(placeOf(pace));
    if (this.pace.value !== place) this.pace.value = place;
    this.#sayPace(pace);
  }

  #sayPace(pace) {
    const text = `${pace.toLocaleString("en")} a second`;
    setText(byTestId("pace-said"), text);
    if (this.pace.ariaValueText !== text) this.pace.ariaValueText = text;
  }

  #sayFeed() {
    setText(byTestId("feed-said"), FEEDS[this.feed]);
    this.feeds.ariaValueText = FEEDS[this.feed];
  }

  clear() {
    this.price.value = "";
    this.#moments = [];
  }

  setPrice(cents) {
    byTestId("order-market").checked = this.price.disabled = false;
    this.price.value = (cents / 100).toFixed(2);
  }

  /** A price to begin with, if none was chosen. */
  offerPrice(cents) {
    if (this.price.value === "" && document.activeElement !== this.price) this.price.value = (cents / 100).toFixed(2);
  }

  showCounts(counts) {
    const now = performance.now();
    this.#moments.push({ at: now, ...counts });
    while (this.#moments[0].at < now - OVER) this.#moments.shift();
    const [first] = this.#moments;
    const seconds = (now - first.at) / 1000;
    const rate = (name) => (seconds > 0.3 ? (counts[name] - first[name]) / seconds : 0);
    const [changes, levels] = [rate("changes"), rate("levels")];
    setText(byTestId("rate-changes"), count(changes));
    setText(byTestId("rate-levels"), count(levels));
    setText(byTestId("rate-diffs"), count(rate("diffs")));
    setText(byTestId("rate-saved"), changes > 0 ? `${Math.max(0, Math.round((1 - levels / changes) * 100))} %` : "–");
    setText(byTestId("count-resyncs"), String(counts.resyncs));
  }
}
