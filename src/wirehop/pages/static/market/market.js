// The market page: one symbol's book, its trades and candles, the ticker of all, and the visitor's orders.

import { connect } from "../sdk/wirehop.js";
import { Breaks } from "../breaks.js";
import { mountDemoTools } from "../demo-tools.js";
import { firstChoice, mountTransportBar } from "../transport-bar.js";
import { SERVER, byTestId, memory, mountState, setText } from "../ui.js";
import { Candles } from "./candles.js";
import { asPrice } from "./canvas.js";
import { mountControls } from "./controls.js";
import { Depth } from "./depth.js";
import { BookFeed } from "./feed.js";
import { Ladder } from "./ladder.js";
import { Orders } from "./orders.js";
import { Tape } from "./tape.js";
import { Ticker, flash } from "./ticker.js";

const SYMBOLS = ["HOPS", "OAKS", "TIDE", "WIRE"];
const STALE = 1400; // milliseconds: a feed says at least once a second that it is alive
const DEAD = 4000; // after which the book is asked for again
const LOOK = 200;

const seed = Math.abs(Number.parseInt(new URLSearchParams(location.search).get("seed"), 10) || 1) % 1_000_000_000;
const breaks = new Breaks();
const client = connect(SERVER, { wires: firstChoice(), data: { name: "trader" }, context: breaks.context });
const bar = mountTransportBar(byTestId("transport"), client, { breaks });
mountState(byTestId("state"), client);
mountDemoTools(byTestId("tools"), { demo: "market", client: () => client, bots: "traders" });

const counts = { diffs: 0, changes: 0, levels: 0, gaps: 0, resyncs: 0, resyncMilliseconds: 0 };
const candles = new Candles(byTestId("candles"), byTestId("candle-legend"));
const depth = new Depth(byTestId("depth"));
const tape = new Tape(byTestId("tape"), byTestId("tape-more"));
const ladder = new Ladder(byTestId("ladder"), { picked: (price) => controls.setPrice(price) });
const ticker = new Ticker(byTestId("ticker"), { chosen: (symbol) => choose(symbol) });
const orders = new Orders(client, {
  seed,
  parts: { list: byTestId("orders"), fills: byTestId("fills"), holdings: byTestId("holdings"), said: byTestId("order-said") },
  changed: soon,
});
const controls = mountControls({
  order: (order) => orders.place({ symbol, ...order }),
  gap: () => feed.loseNext(),
  feed: (name) => follow(name),
  pace: (pace) => client.rpc("market.pace", { seed, symbol, pace }),
});

let symbol = "";
let last; // its last price
let feed; // of the book
let trades; // the channel of the tape
let askedAgain = 0;
let resynced = 0; // when, to be said for a while

// ---- one symbol -----------------------------------------------------------------------------------------------------

/** Everything of the symbol before goes at once: nothing of it is ever seen under the new name. */
function choose(name) {
  if (name === symbol) return;
  symbol = name;
  last = undefined;
  history.replaceState(null, "", `#${symbol}`);
  memory.write("market-symbol", symbol);
  ticker.choose(symbol);
  tape.clear();
  candles.clear();
  controls.clear();
  followTrades();
  follow(controls.feed);
}

function follow(name) {
  feed?.close();
  feed = new BookFeed(client, { seed, symbol, feed: name, counts, watch: (channel) => bar.watch(channel), changed: soon });
  draw();
}

function followTrades() {
  trades?.unsubscribe();
  const channel = (trades = client.channel(`market-tape:${seed}:${symbol}`));
  const asked = symbol;
  bar.watch(channel);
  channel.on("subscribed", async ({ recovered }) => {
    if (recovered) return;
    try {
      const before = await client.rpc("market.history", { seed, symbol: asked });
      if (asked !== symbol) return;
      candles.take(before.candles);
      tape.take(before.trades);
      soon();
    } catch (error) {
      console.warn(`history of ${asked}:`, error.message); // tape and candles begin empty, then
    }
  });
  channel.on("publication", ({ data }) => {
    candles.take(data.candles);
    tape.take(data.trades, data.more);
    showLast(data.trades.at(-1).price);
  });
}

const quotes = client.channel(`market-ticker:${seed}`);
quotes.on("publication", ({ data }) => {
  ticker.take(data);
  if (data.symbol !== symbol) return;
  controls.setPace(data.pace);
  showLast(data.last);
});

function showLast(price) {
  if (last !== undefined && price !== last) flash(byTestId("last"), price > last);
  last = price;
  candles.price(price);
  controls.offerPrice(price);
  soon();
}

// ---- what is seen ---------------------------------------------------------------------------------------------------

let isDue = false;

/** Once for each frame, however much comes. */
function soon() {
  if (isDue) return;
  isDue = true;
  requestAnimationFrame(draw);
}

function draw() {
  isDue = false;
  const { book } = feed;
  if (!book.isEmpty) orders.begin(book.run);
  setText(byTestId("symbol"), symbol);
  setText(byTestId("last"), asPrice(last));
  ladder.show(symbol, book, orders.prices(symbol));
  depth.show(book);
  tape.show();
  showSync();
}

function showSync() {
  const chip = byTestId("sync");
  if (counts.resyncs !== Number(chip.dataset.resyncs)) {
    chip.dataset.resyncs = counts.resyncs;
    resynced = performance.now();
  }
  const isFresh = counts.resyncs > 0 && performance.now() - resynced < 4000;
  chip.dataset.state = feed.state;
  byTestId("ladder").classList.toggle("is-waiting", feed.state !== "live");
  const said = { loading: feed.problem || "loading…", resyncing: `gap after ${feed.book.seq}: resyncing…`, live: isFresh ? `resynced in ${Math.round(counts.resyncMilliseconds)} ms` : "in sync" };
  setText(chip, said[feed.state]);
}

function age() {
  return performance.now() - feed.heardAt + feed.age;
}

function look() {
  const milliseconds = age();
  const isStale = milliseconds > STALE;
  const badge = byTestId("age");
  badge.dataset.stale = isStale;
  setText(badge, isStale ? `stale · ${(milliseconds / 1000).toFixed(1)} s old` : `${(milliseconds / 1000).toFixed(1)} s old`);
  byTestId("market").classList.toggle("is-stale", isStale);
  if (milliseconds > DEAD && client.state === "live" && performance.now() - askedAgain > DEAD) {
    askedAgain = performance.now(); // the exchange had closed, it may be: asking opens it
    feed.resync();
  }
  controls.showCounts(counts);
  showSync();
}

setInterval(look, LOOK);
const wanted = location.hash.slice(1).toUpperCase();
choose([wanted, memory.read("market-symbol", "")].find((name) => SYMBOLS.includes(name)) ?? "WIRE");
addEventListener("hashchange", () => SYMBOLS.includes(location.hash.slice(1)) && choose(location.hash.slice(1)));

/** For tests, and for who is curious in the console. */
window.wirehopDemo = {
  get sent() { return orders.sent; },
  get received() { return bar.tally.received; },
  get duplicates() { return bar.tally.doubled; },
  get gaps() { return bar.tally.missing; },
  get resumes() { return client.moves; },
  get transport() { return client.transport; },
  get symbol() { return symbol; },
  get feedState() { return feed.state; },
  get age() { return age(); },
  get account() { return orders.account; },
  counts,
  book: () => ({ symbol, run: feed.book.run, seq: feed.book.seq, bids: feed.book.levels("b"), asks: feed.book.levels("a") }),
};
