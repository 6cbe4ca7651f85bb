// One wire in the race: a client over its own link, and what came over it. Knows nothing of how it is shown.

const CONNECT_MILLISECONDS = 15_000;
const TRIES = 3;

export class Racer {
  state = "idle"; // connecting, ready, racing, done, blocked
  why = "";
  received = 0;
  doubled = 0;
  samples = []; // milliseconds, in the order of the numbers that came
  #seen = new Set();
  #client = null;
  #end = () => {};

  constructor(wire) {
    this.wire = wire;
  }

  /** Connect and subscribe. `came` is told of every message: {number, at, late, latency, arrived}. */
  async start(links, id, clock, came) {
    Object.assign(this, { state: "connecting", why: "", received: 0, doubled: 0, samples: [], connected: performance.now() });
    this.#seen.clear();
    this.#client = links.connect(this.wire);
    const channel = this.#client.channel(`lab-race:${id}-${this.wire}`);
    channel.on("publication", ({ data }) => this.#came(data, clock, came));
    await new Promise((resolve) => {
      const timer = setTimeout(() => this.#blocked("it does not get through", resolve), CONNECT_MILLISECONDS);
      this.#end = () => this.#blocked("stopped", resolve);
      channel.on("subscribed", () => {
        clearTimeout(timer);
        if (this.state === "connecting") this.state = "ready";
        resolve();
      });
      let failures = 0;
      this.#client.on("state", ({ state, reason }) => {
        if (state === "closed" || (state === "offline" && ++failures >= TRIES)) this.#blocked(`it does not get through: ${reason || "no answer"}`, resolve);
      });
    });
    this.#end = () => {};
    this.took = performance.now() - this.connected;
  }

  #blocked(why, resolve) {
    if (this.state !== "connecting") return;
    Object.assign(this, { state: "blocked", why });
    this.#client.close();
    resolve();
  }

  #came({ n: number, at, late }, clock, came) {
    const arrived = performance.now();
    const latency = arrived + clock.offset - at;
    if (number < 0) return; // it warms up
    if (this.#seen.has(number)) {
      this.doubled++;
      return;
    }
    this.#seen.add(number);
    this.received++;
    this.samples.push({ number, at, late, latency, arrived });
    came({ number, at, late, latency, arrived });
  }

  /** How many of so many never came. */
  missing(count) {
    return count - this.received;
  }

  stop() {
    this.#end();
    this.#client?.close();
    this.#client = null;
    if (this.state !== "blocked") this.state = "done";
  }
}
