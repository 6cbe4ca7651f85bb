// The transport bar: which wire the page is on and why, the choice of another one, what can be broken, and the counts
// that show what came of it.
//
//     const breaks = new Breaks();
//     const client = connect(SERVER, { wires: firstChoice(), context: breaks.context });
//     const bar = mountTransportBar(host, client, { breaks });
//     bar.watch(client.channel("news"));      // counted, from its first publication on
//
// `bar.attach(client)` goes on with another client, where a page needs a new session. The host gets `data-wire`,
// `data-choice` and `data-session`.

import { mountBreakMenu } from "./break-menu.js";
import { Tally } from "./tally.js";
import { WIRE_LABELS, element, memory, mountPanel, setText } from "./ui.js";

const CHOICES = ["auto", ...Object.keys(WIRE_LABELS)];
const EVERY = 500; // milliseconds between two looks
const PING_EVERY = 5_000;
const LONG_SILENCE = 6; // seconds: longer than between two pings
const PHONE = matchMedia("(max-width: 760px)");
const COUNTS = {
  received: "Publications that this page has seen",
  doubled: "Publications that this page has seen twice",
  missing: "Publications that never came: holes in the offsets",
  resumes: "How often another wire has taken over, the session going on",
};

/** What to begin with: `?wire=sse` in the address, else the last choice, else `auto`. */
export function firstChoice() {
  const wanted = new URLSearchParams(location.search).get("wire") ?? memory.read("wire", "auto");
  return CHOICES.includes(wanted) ? wanted : "auto";
}

const label = (wire) => (wire === "auto" ? "Auto" : WIRE_LABELS[wire]);
const color = (wire) => `var(--wire-${wire in WIRE_LABELS ? wire : "http"})`;
const named = (text) => text.replace(/\b(websocket|stream|sse|long-poll|short-poll|jsonp)\b/g, (wire) => WIRE_LABELS[wire]);

/** Seconds as a person reads them. */
function duration(seconds) {
  if (seconds === undefined) return "–";
  if (seconds < 1) return `${Math.max(1, Math.round(seconds * 1000))} ms`;
  return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
}

export function mountTransportBar(host, client, { breaks, choice = firstChoice() } = {}) {
  return new TransportBar(host, client, breaks, choice);
}

class TransportBar {
  #ends = []; // listeners of the current client
  #resumesBefore = 0; // of earlier clients
  #failedMoves = 0;
  #isPinging = false;
  #pingAt = 0;
  #isDue = false;

  constructor(host, client, breaks, choice) {
    Object.assign(this, { host, choice });
    this.tally = new Tally(() => this.#soon());
    this.#build(breaks);
    this.attach(client);
    setInterval(() => document.hidden || this.#look(), EVERY);
    document.addEventListener("visibilitychange", () => document.hidden || this.#look());
  }

  /** Go on with this client; the counts go on as well. */
  attach(client) {
    for (const end of this.#ends) end();
    this.#resumesBefore += this.client?.moves ?? 0;
    this.tally.settle();
    this.client = client;
    this.#pingAt = 0;
    this.#ends = [
      client.on("state", () => this.#show()),
      client.on("moved", () => {
        this.#pingAt = 0;
        this.#show();
        this.said.textContent = `now on ${label(this.client.transport)}`;
      }),
      client.on("moveFailed", () => {
        this.#failedMoves++;
        this.#show();
      }),
    ];
    this.#show();
  }

  /** Count what comes in this channel. Each is to be watched before it is live. */
  watch(channel) {
    this.tally.watch(channel);
  }

  // ---- its parts

  #build(breaks) {
    this.picker = element("fieldset", { className: "wires", ariaLabel: "The wire of this page" });
    this.options = new Map(CHOICES.map((wire) => [wire, this.#option(wire)]));
    this.picker.append(...this.options.values());
    this.picker.addEventListener("change", (event) => this.#choose(event.target.value));

    this.name = element("b");
    this.why = element("span", { className: "why" });
    this.now = element("button", { type: "button", className: "transport-now", dataset: { testid: "transport-now" }, title: "What was measured" },
      element("i", { ariaHidden: "true" }), this.name, this.why, chevron());
    this.roundTrip = figure("round trip", "transport-round-trip", "How long the last answer took");
    this.silence = figure("last byte", "transport-silence", "How long ago the last byte came over this wire");
    this.counts = Object.fromEntries(Object.entries(COUNTS).map(([name, title]) => [name, figure(name, `count-${name}`, title)]));
    this.said = element("span", { className: "visually-hidden", role: "status" });
    const menu = breaks && mountBreakMenu(breaks);
    this.details = this.#panel();
    mountPanel(this.now, this.details);
    this.row = element("div", { className: "transport-choice" }, this.picker, ...(menu?.parts ?? []));
    const figures = element("dl", { className: "transport-figures" }, this.roundTrip.part, this.silence.part, ...Object.values(this.counts).map(({ part }) => part));
    this.host.classList.add("transport");
    this.host.replaceChildren(this.row, element("div", { className: "transport-facts" }, this.now, figures), this.details, this.said);
    // there is no room for the choice beside the rest on a phone
    const fit = () => (PHONE.matches ? this.details.prepend(this.picker) : this.row.prepend(this.picker));
    PHONE.addEventListener("change", fit);
    fit();
  }

  #option(wire) {
    const radio = element("input", { type: "radio", name: "wire", value: wire, checked: wire === this.choice });
    const option = element("label", { dataset: { testid: `wire-${wire}` } }, radio, element("span", {}, label(wire)));
    option.style.setProperty("--wire", wire === "auto" ? "var(--text)" : color(wire));
    return option;
  }

  #panel() {
    const heads = ["Wire", "Cost", "Worked", "Failed", "Connect", "Round trip"].map((text) => element("th", { scope: "col" }, text));
    this.rows = element("tbody");
    this.sentence = element("p", { dataset: { testid: "transport-why" } });
    this.rest = element("p", { className: "note", dataset: { testid: "transport-rest" } });
    const table = element("table", {}, element("thead", {}, element("tr", {}, ...heads)), this.rows);
    return element("div", { className: "panel-over transport-details", dataset: { testid: "transport-details" }, role: "dialog", ariaLabel: "The wires of this page" },
      this.sentence, element("div", { className: "table-scroll" }, table), this.rest);
  }

  // ---- what it does

  #choose(choice) {
    this.choice = choice;
    if (choice !== "jsonp") memory.write("wire", choice); // not every server has that one
    this.client.use(choice);
    this.#show();
  }

  async #ping() {
    if (this.#isPinging || this.client.state !== "live" || performance.now() < this.#pingAt) return;
    this.#isPinging = true;
    this.#pingAt = performance.now() + PING_EVERY;
    try {
      await this.client.ping();
    } catch {
      // the client was closed; the state says why
    } finally {
      this.#isPinging = false;
    }
  }

  #look() {
    this.#ping();
    this.#show();
  }

  /** Twenty times a second is enough, however much comes. */
  #soon() {
    if (this.#isDue) return;
    this.#isDue = true;
    setTimeout(() => this.#show(), 50);
  }

  // ---- what it shows

  #show() {
    this.#isDue = false;
    const { current, why, wires } = this.client.wires();
    const { roundTrip, silence } = wires.find(({ transport }) => transport === current) ?? {};
    const { tally } = this;
    Object.assign(this.host.dataset, { wire: current, choice: this.choice, session: this.client.id });
    this.host.style.setProperty("--wire", color(current));
    setText(this.name, current ? label(current) : "no wire");
    const reason = this.#reason(current, named(why), wires);
    setText(this.why, reason);
    this.why.title = reason;
    setText(this.roundTrip.value, duration(roundTrip));
    setText(this.silence.value, current ? `${silence.toFixed(silence < 10 ? 1 : 0)} s ago` : "–");
    this.silence.part.classList.toggle("bad", silence > LONG_SILENCE);
    const counts = { received: tally.received, doubled: tally.doubled, missing: tally.missing, resumes: this.#resumesBefore + this.client.moves };
    for (const [name, count] of Object.entries(counts)) setText(this.counts[name].value, String(count));
    for (const name of ["doubled", "missing"]) this.counts[name].part.classList.toggle("bad", counts[name] > 0);
    for (const [wire, option] of this.options) {
      const report = wires.find(({ transport }) => transport === wire);
      const isThere = wire === "jsonp" ? report?.offered : report && report.offered !== false;
      option.hidden = wire !== "auto" && wire !== this.choice && !isThere;
    }
    if (this.details.matches(":popover-open") || !this.rows.children.length) this.#showDetails(reason, wires);
  }

  #reason(current, why, wires) {
    if (!current) return this.choice === "auto" ? "" : `only ${label(this.choice)} is wanted`;
    if (this.choice === "auto") return why;
    if (this.choice === current) return "you have chosen it";
    const failure = wires.find(({ transport }) => transport === this.choice)?.lastFailure;
    return `${label(this.choice)} is tried${failure ? `: ${failure}` : "…"}`;
  }

  #showDetails(reason, wires) {
    const { current } = this.client.wires();
    setText(this.sentence, current ? `On ${label(current)}: ${reason}.` : "There is no wire just now.");
    const shown = wires.filter(({ offered }) => offered !== false);
    if (this.rows.children.length !== shown.length) this.rows.replaceChildren(...shown.map(() => row()));
    shown.forEach((report, index) => {
      const line = this.rows.children[index];
      const [name, note] = line.cells[0].children;
      line.classList.toggle("is-current", report.transport === current);
      line.classList.toggle("quiet", !report.allowed);
      line.style.setProperty("--wire", color(report.transport));
      setText(name, label(report.transport));
      setText(note, named(report.lastFailure));
      const values = [report.cost.toFixed(1), report.connected, report.failed, duration(report.connectSeconds), duration(report.roundTrip)];
      values.forEach((value, column) => setText(line.cells[column + 1], String(value)));
    });
    const parts = [`Session ${this.client.id || "–"}`, `${this.tally.dropped} duplicates dropped`, `${this.#failedMoves} moves failed`];
    if (this.tally.lostLogs) parts.push(`${this.tally.lostLogs} logs begun anew by the server`);
    setText(this.rest, parts.join(" · "));
  }
}

const row = () => element("tr", {}, element("td", {}, element("span"), element("small")), ...Array.from({ length: 5 }, () => element("td")));

function figure(name, testid, title) {
  const value = element("dd", { dataset: { testid } }, "–");
  return { value, part: element("div", { title }, element("dt", {}, name), value) };
}

function chevron() {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 12 12");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", "M2.5 4.5 6 8l3.5-3.5");
  svg.append(path);
  return svg;
}
