// Cut it: numbered messages go up and come back down over one link while it is broken, and a ledger says what came of them.
//
// What the page has sent and not got back is on its way while the client is at it, and lost when nothing more comes.

import { WIRE_LABELS, element, randomId, setText } from "../ui.js";
import { mountLinkPanel } from "./link-panel.js";
import { WIRES } from "./links.js";

const EVERY = 50; // milliseconds between two messages
const SHOW_EVERY = 200;
const REST = 5_000; // milliseconds without news, all being answered, after which what is missing is lost
const MOST_BREAKS = 50;
const GIVEN_UP = 120_000; // and without an answer
const BREAKS = {
  drop: ["Drop", "every connection is reset"],
  tunnel: ["Tunnel, 10 s", "nothing passes, and comes late"],
  hole: ["Black hole, 5 s", "what passes is lost"],
  restart: ["Restart", "the server ends the session and everything else, and refuses for 1 s"],
  roam: ["Roam", "another address; the server is told nothing"],
};

export function mountCut(host, links) {
  return new Cut(host, links);
}

class Cut {
  #client = null;
  #timers = [];

  constructor(host, links) {
    Object.assign(this, { host, links });
    this.#reset();
    this.#build();
  }

  #reset() {
    Object.assign(this, { sent: 0, received: new Set(), repeated: 0, refused: 0, breaks: [], isSending: false, isAtRest: true, news: 0 });
  }

  #build() {
    const side = element("div", { className: "lab-side" });
    this.wire = element("select", { className: "field", id: "cut-wire", dataset: { testid: "cut-wire" } },
      element("option", { value: "auto" }, "auto (all links)"), ...WIRES.slice(0, 5).map((wire) => element("option", { value: wire }, WIRE_LABELS[wire])));
    this.wire.value = "websocket";
    this.button = element("button", { type: "button", className: "button primary", dataset: { testid: "cut-start" } }, "Start");
    this.button.addEventListener("click", () => (this.isSending ? this.#rest() : this.#start()));
    this.orders = Object.entries(BREAKS).map(([what, [title, note]]) => {
      const button = element("button", { type: "button", className: "button", disabled: true, title: note, dataset: { testid: `cut-${what}` } }, title);
      button.addEventListener("click", () => this.#break(what));
      return button;
    });
    const tile = (id, title, note) => {
      const value = element("span", { className: "value", dataset: { testid: `ledger-${id}` } }, "–");
      this[`${id}Tile`] = value;
      return element("div", { className: "tile" }, element("span", { className: "eyebrow" }, title), value, element("span", { className: "note" }, note));
    };
    this.state = element("p", { className: "race-words", role: "status", dataset: { testid: "cut-state" } }, "Messages go up to the server and come back, 20 a second. Break the link meanwhile.");
    this.rows = element("tbody");
    this.host.append(element("div", { className: "lab-columns" }, side, element("div", { className: "lab-main" },
      element("section", { className: "card panel race-form" },
        element("div", { className: "race-numbers" }, element("label", { htmlFor: "cut-wire" }, "Wire", this.wire), this.button),
        element("div", { className: "link-orders", role: "group", ariaLabel: "Break it" }, ...this.orders), this.state),
      element("div", { className: "card tiles" }, tile("sent", "Sent", "numbers"), tile("received", "Came back", "each once"), tile("lost", "Lost", "when at rest"), tile("repeated", "Repeated", "seen twice")),
      element("section", { className: "card panel" }, element("div", { className: "panel-head" }, element("h2", {}, "Breaks")),
        element("div", { className: "table-scroll", tabIndex: 0, role: "region", ariaLabel: "Breaks" },
          element("table", { dataset: { testid: "ledger" } },
            element("thead", {}, element("tr", {}, ...["Break", "At", "Sent since", "Came back", "On its way", "Lost", "Repeated", "Back in"].map((title) => element("th", { scope: "col" }, title)))), this.rows))))));
    mountLinkPanel(side, this.links);
  }

  async #start() {
    this.#end();
    this.#reset();
    this.rows.replaceChildren();
    this.isSending = true;
    this.isAtRest = false;
    this.host.dataset.cut = "on";
    setText(this.button, "Stop");
    setText(this.state, "Connecting…");
    await this.links.open();
    this.began = performance.now();
    this.#client = this.wire.value === "auto" ? this.links.connect("websocket", { wires: "auto" }) : this.links.connect(this.wire.value);
    const id = randomId(8);
    const channel = this.#client.channel(`lab-cut:${id}`);
    channel.on("publication", ({ data }) => this.#came(data.n));
    channel.on("subscribed", () => {
      if (this.#timers.length) return;
      for (const order of this.orders) order.disabled = false;
      this.#timers = [setInterval(() => this.#send(channel, id), EVERY), setInterval(() => this.#show(), SHOW_EVERY)];
    });
  }

  #send(channel, id) {
    if (!this.isSending) return;
    const number = this.sent++;
    this.news = performance.now();
    // with a key it is done once, however often it has to be tried
    channel.publish({ n: number }, { key: `${id}-${number}` }).catch(() => this.refused++);
  }

  #came(number) {
    this.news = performance.now();
    const current = this.breaks.findLast(({ from }) => from <= number);
    if (this.received.has(number)) {
      this.repeated++;
      if (current) current.repeated++;
      return;
    }
    this.received.add(number);
    if (current) current.received++;
    if (current && !current.back) current.back = performance.now() - current.at;
    if (!this.isSending && this.received.size === this.sent) this.#settle();
  }

  async #break(what) {
    try {
      await this.links.break(what, what === "restart" ? [this.#client.id] : []);
    } catch (error) {
      return setText(this.state, error.message);
    }
    // from here on it is broken: what is sent now has to come through it
    if (this.breaks.length < MOST_BREAKS) this.breaks.push({ what, at: performance.now(), from: this.sent, received: 0, repeated: 0, back: 0 });
    this.#show();
  }

  /** Send nothing more, and wait for what is on its way. */
  #rest() {
    this.isSending = false;
    for (const order of this.orders) order.disabled = true;
    setText(this.button, "Start");
    if (this.received.size === this.sent) this.#settle();
  }

  #settle() {
    if (this.isAtRest) return;
    this.isAtRest = true;
    this.#end();
    this.host.dataset.cut = "done";
    this.#show();
  }

  #end() {
    for (const timer of this.#timers) clearInterval(timer);
    this.#timers = [];
    this.#client?.close();
    this.#client = null;
  }

  #show() {
    const quiet = performance.now() - this.news;
    if (!this.isSending && !this.isAtRest && quiet > (this.#client?.synced && this.#client.state === "live" ? REST : GIVEN_UP)) this.#settle();
    const open = this.sent - this.received.size;
    const lost = this.isAtRest ? open : 0;
    setText(this.sentTile, this.sent.toLocaleString("en"));
    setText(this.receivedTile, this.received.size.toLocaleString("en"));
    setText(this.lostTile, String(lost));
    setText(this.repeatedTile, String(this.repeated));
    const where = this.#client ? `${this.#client.state} over ${WIRE_LABELS[this.#client.transport] ?? "no wire"}` : "at rest";
    setText(this.state, `${where} · ${open - lost} on their way · ${lost} lost`);
    this.breaks.forEach((entry, index) => {
      const until = this.breaks[index + 1]?.from ?? this.sent;
      const sent = until - entry.from;
      const missing = sent - entry.received;
      const cells = [BREAKS[entry.what][0], `${((entry.at - this.began) / 1000).toFixed(1)} s`, sent, entry.received, this.isAtRest ? 0 : missing, this.isAtRest ? missing : 0, entry.repeated,
        entry.back ? `${(entry.back / 1000).toFixed(2)} s` : "…"];
      const row = this.rows.children[index] ?? this.rows.appendChild(element("tr", { dataset: { what: entry.what } }, ...cells.map(() => element("td"))));
      cells.forEach((text, column) => setText(row.children[column], String(text)));
    });
  }
}
