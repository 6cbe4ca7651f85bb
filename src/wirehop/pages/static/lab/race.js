// The race: the same numbered messages over all chosen wires at once, each over a link of its own.

import { WIRE_LABELS, element, randomId, setText } from "../ui.js";
import { mountAnatomy } from "./anatomy.js";
import { Lane } from "./lanes.js";
import { mountLinkPanel } from "./link-panel.js";
import { WIRES } from "./links.js";
import { drawCdf, drawTimes } from "./plots.js";
import { Racer } from "./racer.js";
import { quantile, rank, summary } from "./statistics.js";

const WARM = 50;
const SHOW_EVERY = 250; // milliseconds
const QUIET = 8000; // after so long without a message what is missing is missing
const CHOSEN = ["websocket", "stream", "sse", "long-poll"];
const ms = (value) => (Number.isFinite(value) ? `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ms` : "–");

export function mountRace(host, links) {
  return new Race(host, links);
}

class Race {
  racers = [];
  #isOn = false;
  #isStopped = false;
  #last = 0; // when a message came

  constructor(host, links) {
    Object.assign(this, { host, links });
    this.#build();
  }

  #build() {
    const side = element("div", { className: "lab-side" });
    const boxes = WIRES.map((wire) => {
      const box = element("input", { type: "checkbox", value: wire, checked: CHOSEN.includes(wire), dataset: { testid: `race-${wire}` } });
      return element("label", { className: "wire-choice", style: { "--wire": `var(--wire-${wire})` } }, box, WIRE_LABELS[wire]);
    });
    this.boxes = boxes.map((label) => label.firstChild);
    const choose = (id, title, values, value) => {
      const select = element("select", { className: "field", id, dataset: { testid: id } }, ...values.map(([key, text]) => element("option", { value: key }, text)));
      select.value = value;
      this[id.slice(5)] = select;
      return element("label", { htmlFor: id }, title, select);
    };
    this.button = element("button", { type: "button", className: "button primary", dataset: { testid: "race-start" } }, "Start the race");
    this.button.addEventListener("click", () => (this.#isOn ? this.#stop() : this.#run()));
    this.words = element("p", { className: "race-words", role: "status", dataset: { testid: "race-words" } }, "The same numbered messages go over every wire, each over a link like the one at the side.");
    const form = element("section", { className: "card panel race-form" },
      element("fieldset", {}, element("legend", {}, "Wires"), ...boxes),
      element("div", { className: "race-numbers" },
        choose("race-count", "Messages", [[300, "300"], [1000, "1,000"], [3000, "3,000"]], 1000),
        choose("race-rate", "A second", [[20, "20"], [50, "50"], [100, "100"], [250, "250"]], 100),
        choose("race-size", "Payload", [[60, "60 bytes"], [200, "200 bytes"], [2000, "2,000 bytes"]], 200),
        this.button),
      this.words);
    this.lanes = element("section", { className: "card panel lanes", ariaLabel: "Lanes", hidden: true, dataset: { testid: "lanes" } });
    this.cdf = element("canvas", { className: "plot", role: "img", ariaLabel: "How many messages were how quick", dataset: { testid: "race-cdf" } });
    this.times = element("canvas", { className: "plot", role: "img", ariaLabel: "Latency of each message", dataset: { testid: "race-times" } });
    this.plots = element("div", { className: "plots", hidden: true },
      element("section", { className: "card panel" }, element("h2", {}, "How many were how quick"), this.cdf),
      element("section", { className: "card panel" }, element("h2", {}, "One after the other"), this.times));
    this.table = element("tbody");
    this.results = element("section", { className: "card panel", hidden: true }, element("div", { className: "panel-head" }, element("h2", {}, "Result"), element("span", { className: "note", dataset: { testid: "race-note" } })),
      element("div", { className: "table-scroll", tabIndex: 0, role: "region", ariaLabel: "Result" },
        element("table", { dataset: { testid: "race-table" } },
          element("thead", {}, element("tr", {}, ...["Wire", "Place", "Came (missing, doubled)", "p50", "p95", "p99 (95 %)", "Connect", "Bytes each, down / up"].map((title) => element("th", { scope: "col" }, title)))),
          this.table)));
    const anatomy = element("section", { ariaLabel: "Anatomy of a message", dataset: { testid: "anatomy" } });
    this.anatomy = mountAnatomy(anatomy, this.links);
    this.host.append(element("div", { className: "lab-columns" }, side, element("div", { className: "lab-main" }, form, this.lanes, anatomy, this.results, this.plots)));
    mountLinkPanel(side, this.links);
    addEventListener("themechange", () => this.racers.length && this.#plot());
    addEventListener("resize", () => this.racers.length && !this.#isOn && this.#plot());
  }

  async #run() {
    const wires = this.boxes.filter((box) => box.checked).map((box) => box.value);
    if (!wires.length) return setText(this.words, "Choose a wire.");
    this.#isOn = true;
    this.#isStopped = false;
    this.host.dataset.race = "on";
    setText(this.button, "Stop");
    this.anatomy.hide();
    this.plots.hidden = true;
    this.table.replaceChildren();
    for (const racer of this.racers) racer.stop();
    try {
      await this.#race(wires, { count: Number(this.count.value), rate: Number(this.rate.value), size: Number(this.size.value) });
    } catch (error) {
      setText(this.words, `The race has ended: ${error.message}`);
    }
    for (const racer of this.racers) racer.stop();
    for (const { lane } of this.racers) lane?.stop();
    this.#isOn = false;
    this.host.dataset.race = "done";
    setText(this.button, "Start the race");
  }

  async #race(wires, { count, rate, size }) {
    setText(this.words, "Connecting…");
    await this.links.open();
    const id = randomId(8);
    const clock = await this.links.clock();
    this.racers = wires.map((wire) => new Racer(wire));
    this.#makeLanes();
    await Promise.all(this.racers.map((racer) => racer.start(this.links, id, clock, (message) => this.#came(racer, message))));
    const running = this.racers.filter(({ state }) => state === "ready");
    const before = (await this.links.state()).traffic;
    if (running.length && !this.#isStopped) {
      for (const racer of running) racer.state = "racing";
      await this.links.client.rpc("lab.race", { id, wires: running.map(({ wire }) => wire), count, rate, size, warm: WARM });
      this.#last = performance.now() + (1000 * WARM) / rate;
      await this.#watch(running, count);
      await this.links.client.rpc("lab.stop");
    }
    const after = (await this.links.state()).traffic;
    const drift = await this.links.clock();
    this.#correct(running, clock, drift);
    this.#settle(count, rate, before, after, drift);
  }

  /** Until all is there, or nothing more comes. */
  #watch(racers, count) {
    return new Promise((resolve) => {
      const timer = setInterval(() => {
        this.#show(count);
        const isWhole = racers.every((racer) => racer.received >= count);
        if (isWhole || this.#isStopped || performance.now() - this.#last > QUIET) {
          clearInterval(timer);
          resolve();
        }
      }, SHOW_EVERY);
    });
  }

  #stop() {
    this.#isStopped = true;
    for (const racer of this.racers) if (racer.state === "connecting") racer.stop();
  }

  #came(racer, message) {
    this.#last = performance.now();
    racer.lane.add(message);
  }

  #makeLanes() {
    const rows = this.racers.map((racer) => {
      const canvas = element("canvas", { className: "lane", role: "img", ariaLabel: `Messages over ${WIRE_LABELS[racer.wire]}`, dataset: { testid: `lane-${racer.wire}` } });
      racer.said = element("span", { className: "lane-figures", dataset: { testid: `figures-${racer.wire}` } }, "connecting…");
      const look = element("button", { type: "button", className: "button lane-look", title: "The newest message, byte by byte", dataset: { testid: `look-${racer.wire}` } }, "Bytes");
      const show = (number) => number !== undefined && this.anatomy.show(racer.wire, number);
      look.addEventListener("click", () => show(racer.lane.newest));
      const row = element("div", { className: "lane-row", style: { "--wire": `var(--wire-${racer.wire})` } },
        element("div", { className: "lane-head" }, element("b", {}, WIRE_LABELS[racer.wire]), racer.said, look), canvas);
      racer.canvas = canvas;
      racer.show = show;
      return row;
    });
    this.lanes.hidden = false;
    this.lanes.replaceChildren(element("p", { className: "note" }, "Each dot is a message: it comes in at the left; the lower, the later it was. Click one to see its bytes."), ...rows);
    for (const racer of this.racers) {
      racer.lane = new Lane(racer.canvas, `--wire-${racer.wire}`, racer.show);
      racer.lane.run();
    }
  }

  /** Live: over all that came so far. */
  #show(count) {
    for (const racer of this.racers) {
      if (racer.state === "blocked") {
        setText(racer.said, racer.why);
        continue;
      }
      const sorted = Float64Array.from(racer.samples, ({ latency }) => latency).sort();
      setText(racer.said, `${racer.received.toLocaleString("en")} of ${count.toLocaleString("en")} · p50 ${ms(quantile(sorted, 0.5))} · p99 ${ms(quantile(sorted, 0.99))}`);
    }
    const most = Math.max(0, ...this.racers.map(({ received }) => received));
    setText(this.words, `${most.toLocaleString("en")} of ${count.toLocaleString("en")}…`);
  }

  /** The clocks may drift apart during the race: between the two measurements by a line. */
  #correct(racers, before, after) {
    const change = after.offset - before.offset;
    for (const racer of racers) {
      const { samples } = racer;
      const [first, last] = [samples[0]?.arrived, samples.at(-1)?.arrived];
      for (const sample of samples) sample.latency += last > first ? (change * (sample.arrived - first)) / (last - first) : 0;
      samples.sort((one, other) => one.number - other.number);
    }
  }

  #settle(count, rate, before, after, clock) {
    const entries = this.racers.map((racer) => {
      const bytes = (way) => (after[racer.wire][way].bytes - before[racer.wire][way].bytes) / (count + WARM);
      return { name: racer.wire, racer, missing: racer.missing(count), ...summary(racer.samples.map(({ latency }) => latency)), down: bytes("down"), up: bytes("up") };
    });
    const through = entries.filter(({ racer }) => racer.state !== "blocked");
    const late = quantile(Float64Array.from(through.flatMap(({ racer }) => racer.samples.map((sample) => sample.late))).sort(), 0.99);
    const { places, isDifferent, words } = rank(through, late);
    this.host.querySelector("[data-testid=race-note]").textContent = `publisher late by ${ms(late)} at p99 · clocks known to ± ${clock.error.toFixed(2)} ms`;
    this.table.replaceChildren(...entries.map((entry) => this.#row(entry, places)));
    this.results.hidden = false;
    setText(this.words, this.#isStopped ? `Stopped. ${words}` : words[0].toUpperCase() + words.slice(1));
    Object.assign(this.words.dataset, { ranked: places.size > 1 ? (isDifferent ? "different" : "same") : "no" });
    for (const { racer } of entries) setText(racer.said, racer.state === "blocked" ? racer.why : `${racer.received.toLocaleString("en")} came`);
    this.lastCount = count;
    this.plots.hidden = false;
    this.#plot();
  }

  #row({ racer, missing, samples, p50, p95, p99, interval: [low, high], down, up }, places) {
    const cell = (text, properties = {}) => element("td", properties, text);
    if (racer.state === "blocked") {
      return element("tr", { dataset: { wire: racer.wire, state: "blocked" } }, cell(WIRE_LABELS[racer.wire], { className: "dot", style: { "--wire": `var(--wire-${racer.wire})` } }), cell(racer.why, { colSpan: 7 }));
    }
    const place = places.get(racer.wire);
    return element("tr", { dataset: { wire: racer.wire, place: place ?? "", samples, p50, p99, missing } },
      cell(WIRE_LABELS[racer.wire], { className: "dot", style: { "--wire": `var(--wire-${racer.wire})` } }),
      cell(place ? String(place) : "–"),
      cell(`${racer.received.toLocaleString("en")} (${missing}, ${racer.doubled})`),
      cell(ms(p50)), cell(ms(p95)), cell(`${ms(p99)} (${ms(low)} – ${ms(high)})`.replace(" ms –", " –")), cell(ms(racer.took)),
      cell(`${Math.round(down).toLocaleString("en")} / ${Math.round(up).toLocaleString("en")}`));
  }

  #plot() {
    const series = this.racers.filter(({ state }) => state !== "blocked").map(({ wire, samples }) => ({ color: `--wire-${wire}`, samples }));
    drawCdf(this.cdf, series);
    drawTimes(this.times, series, this.lastCount ?? 1);
  }
}
