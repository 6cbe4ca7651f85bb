// The links of this page: ports of the server's emulator, one for each wire, and what they are like.
//
// They live as long as somebody asks after them; a page that comes back with another session gets new ones, and its
// conditions with them.

import { connect } from "../sdk/wirehop.js";

const LOOK_EVERY = 1000; // milliseconds
const CLOCK_ROUNDS = 12;
export const WIRES = ["websocket", "stream", "sse", "long-poll", "short-poll", "jsonp"];

export class Links extends EventTarget {
  presets = {};
  proxies = [];
  ports = {};
  conditions = { delay: 0, jitter: 0, loss: 0, down: 0, up: 0, queue: 65536, proxy: "", tunnel_every: 0, tunnel_seconds: 0 };
  #opening = null;
  #of = ""; // the session that has them

  constructor(client, tell) {
    super();
    Object.assign(this, { client, tell });
    client.on("state", ({ state }) => state === "live" && this.#of && this.#of !== client.id && this.open().catch(() => {}));
    setInterval(() => document.hidden || this.#look(), LOOK_EVERY);
  }

  /** The ports, by wire. */
  async open() {
    this.#opening ??= this.#open().finally(() => (this.#opening = null));
    await this.#opening;
    return this.ports;
  }

  async #open() {
    try {
      const opened = await this.client.rpc("lab.open", { wires: WIRES });
      const isNew = this.#of !== this.client.id;
      Object.assign(this, opened);
      if (isNew && this.#of) await this.client.rpc("lab.link", this.conditions);
      this.#of = this.client.id;
      this.tell("");
      this.dispatchEvent(new Event("open"));
    } catch (error) {
      this.tell(`The links of the lab cannot be opened: ${error.message}`);
      throw error;
    }
  }

  /** From now on such links. */
  async set(conditions) {
    this.conditions = { ...this.conditions, ...conditions };
    await this.open();
    await this.client.rpc("lab.link", this.conditions);
    this.dispatchEvent(new Event("change"));
  }

  /** Break it once; `sessions` are ended by a restart. */
  async break(what, sessions = []) {
    await this.open();
    return this.client.rpc("lab.break", { what, sessions });
  }

  /** Where a wire's link begins. */
  address(wire) {
    return `${location.protocol}//127.0.0.1:${this.ports[wire]}`;
  }

  /** A client that uses this wire alone, over its link. */
  connect(wire, options = {}) {
    return connect(this.address(wire), { wires: wire, data: { name: `lab ${wire}` }, ...options });
  }

  /** How far the server's clock is ahead of this page's, in milliseconds, and half of what that may be wrong by.
   *  NTP's formula over the page's own wire, which no link impairs; the quickest answer of some is the truest. */
  async clock() {
    let best = { offset: 0, error: Infinity };
    for (let round = 0; round < CLOCK_ROUNDS; round++) {
      const sent = performance.now();
      const server = await this.client.rpc("lab.clock");
      const came = performance.now();
      if (came - sent < best.error) best = { offset: server - (sent + came) / 2, error: came - sent };
    }
    return { offset: best.offset, error: best.error / 2 };
  }

  state() {
    return this.client.rpc("lab.state");
  }

  async #look() {
    if (!this.#of || this.#of !== this.client.id || this.client.state !== "live") return;
    try {
      this.dispatchEvent(new CustomEvent("look", { detail: await this.state() }));
    } catch {
      this.#of = ""; // they are gone: whoever needs them opens them again
    }
  }
}
