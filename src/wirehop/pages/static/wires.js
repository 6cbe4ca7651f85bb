// The five wires of the demo pages. A wire carries commands up and replies down and knows nothing else of the session.
//
// All have the same methods: open(base, connect, hear), send(commands), close(last). A wire calls hear.replies(list),
// where an empty list is a sign of life, and hear.lost(code, reason) once, never after close(). `last` are commands
// worth sending where the server cannot see that the page has gone.

export const CONNECT_ID = 4294967295; // outside of the numbering 1, 2, 3 … of all other commands
const POST_TIMEOUT = 10_000; // a POST that hangs longer ends its wire

/** Random letters and digits. Not crypto.randomUUID: a page on plain HTTP in the local network has none. */
export function randomId(bytes = 12) {
  return Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The wait before attempt 1, 2, 3 …: drawn anew each time, so that the clients of a lost server do not return at once. */
export const fullJitter = (attempt) => 500 + Math.random() * (Math.min(30_000, 500 * 2 ** attempt) - 500);

const toLines = (commands) => commands.map((command) => JSON.stringify(command)).join("\n");
const fromLines = (text) => text.split("\n").filter(Boolean).map((line) => JSON.parse(line));

class WebSocketWire {
  open(base, connect, hear) {
    this.socket = new WebSocket(`${base.replace(/^http/, "ws")}/connection/websocket`);
    this.socket.onopen = () => this.send([connect]);
    this.socket.onmessage = (event) => hear.replies(fromLines(event.data));
    this.socket.onclose = (event) => hear.lost(event.code, event.reason);
  }

  send(commands) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(toLines(commands));
  }

  close() {
    const socket = this.socket;
    socket.onmessage = socket.onclose = null;
    socket.onopen = () => socket.close(1000); // closing before it is open would be reported as an error
    if (socket.readyState !== WebSocket.CONNECTING) socket.close(1000);
  }
}

class EventStreamWire {
  waiting = [];
  isPosting = false;

  open(base, connect, hear) {
    Object.assign(this, { base, hear });
    this.source = new EventSource(`${base}/connection/sse?cf_connect=${encodeURIComponent(JSON.stringify(connect))}`);
    this.source.onmessage = (event) => {
      const replies = fromLines(event.data);
      for (const { connect: result } of replies) if (result) this.address = { session: result.session, node: result.node };
      hear.replies(replies);
    };
    // Left alone, an EventSource repeats the same URL, and with it positions that are out of date.
    this.source.onerror = () => this.#end("the event stream ended");
  }

  send(commands) {
    this.waiting.push(...commands);
    if (!this.isPosting) this.#post();
  }

  close() {
    this.isClosed = true;
    this.source.close();
  }

  /** One POST at a time: two of them may overtake each other. */
  async #post() {
    this.isPosting = true;
    try {
      while (this.waiting.length && !this.isClosed) {
        const body = JSON.stringify({ ...this.address, data: toLines(this.waiting.splice(0)) });
        const signal = AbortSignal.timeout(POST_TIMEOUT);
        const headers = { "Content-Type": "application/json" };
        const response = await fetch(`${this.base}/emulation`, { method: "POST", credentials: "omit", headers, body, signal });
        if (!response.ok) throw new Error(`the server refused commands (HTTP ${response.status})`);
      }
    } catch (error) {
      this.#end(error.message); // whether the commands ran is not known, so they are not repeated here
    }
    this.isPosting = false;
  }

  #end(reason) {
    if (this.isClosed) return;
    this.close();
    this.hear.lost(0, reason);
  }
}

/** Long poll, short poll and JSONP: numbered, acknowledged batches (docs/poll.md). `exchange` carries one poll. */
class PollWire {
  isNumbered = true; // its commands are numbered without gaps and repeated until answered
  number = 0;
  ack = 0;
  failures = 0;
  nonce = randomId();

  constructor(exchange, { wait, pause }) {
    Object.assign(this, { exchange, wait, pause });
  }

  open(base, connect, hear) {
    Object.assign(this, { base, hear, unanswered: [connect] });
    this.#poll();
  }

  send(commands) {
    this.unanswered.push(...commands);
    this.#pollIn(0); // ends the poll that is being held; further commands of this turn join it
  }

  close(last = []) {
    this.isClosed = true;
    clearTimeout(this.timer);
    if (this.session && last.length) {
      this.unanswered.push(...last);
      // A beacon outlives the page, which neither a script nor, in every browser, a fetch with keepalive does.
      const body = new Blob([JSON.stringify(this.#body(0))], { type: "application/json" });
      navigator.sendBeacon(`${this.base}/connection/poll`, body);
    }
  }

  #pollIn(delay) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#poll(), delay);
  }

  #body(wait) {
    const who = this.session ? { session: this.session } : { nonce: this.nonce };
    // Connect goes with the nonce only: whoever knows the session has accepted it, even if its reply is yet to come.
    const commands = this.session ? this.unanswered.filter(({ id }) => id !== CONNECT_ID) : this.unanswered;
    return { ...who, poll: ++this.number, ack: this.ack, wait, commands };
  }

  async #poll() {
    const body = this.#body(this.wait);
    const started = performance.now();
    let answer;
    try {
      answer = await this.exchange(this.base, body, body.wait * 1000 + POST_TIMEOUT);
      if (answer.error) throw Object.assign(new Error(answer.error.message), { isGone: true });
    } catch (error) {
      if (this.isClosed || body.poll !== this.number) return;
      if (error.isGone || ++this.failures > 2) this.#end(error.message);
      else this.#pollIn(fullJitter(this.failures));
      return;
    }
    if (this.isClosed) return;
    this.failures = 0;
    this.session = answer.session ?? this.session;
    const isNew = answer.batch > this.ack; // a batch is given again until a poll acknowledges it
    if (isNew) {
      this.ack = answer.batch;
      this.#settle(answer.replies);
    }
    this.hear.replies(isNew ? answer.replies : []);
    if (this.isClosed || body.poll !== this.number) return; // a newer poll is under way
    if (this.wait) this.#pollIn(isNew || performance.now() - started > 250 ? 0 : 250); // never a hot loop
    else this.#pollIn(this.unanswered.length ? 150 : this.pause);
  }

  /** Forget the commands that have been answered, and each `send` that a later answer shows to have arrived. */
  #settle(replies) {
    const answered = new Set(replies.map((reply) => reply.id).filter(Boolean));
    const highest = Math.max(0, ...[...answered].filter((id) => id !== CONNECT_ID));
    this.unanswered = this.unanswered.filter(({ id, send }) => !answered.has(id) && !(send && id < highest));
  }

  #end(reason) {
    this.isClosed = true;
    this.hear.lost(0, reason);
  }
}

async function exchangeByPost(base, body, timeout) {
  const response = await fetch(`${base}/connection/poll`, {
    method: "POST",
    credentials: "omit",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(timeout),
  });
  if (response.ok) return response.json();
  throw Object.assign(new Error(`the poll failed (HTTP ${response.status})`), { isGone: response.status === 404 });
}

// A script that is being held would hold the page's own `load` event too, so the first one waits for that.
const pageLoaded = new Promise((resolve) => {
  if (document.readyState === "complete") resolve();
  else addEventListener("load", () => setTimeout(resolve), { once: true });
});

let scripts = 0;
async function exchangeByScript(base, body, timeout) {
  await pageLoaded;
  const name = `wirehop_${++scripts}`;
  const commands = body.commands.slice();
  const query = () => encodeURIComponent(JSON.stringify({ ...body, commands }));
  while (commands.length > 1 && query().length > 6000) commands.pop(); // a URL has its limits; the rest follows
  const script = Object.assign(document.createElement("script"), {
    src: `${base}/connection/jsonp?callback=${name}&body=${query()}`,
  });
  return new Promise((resolve, reject) => {
    const settle = (how, value) => {
      clearTimeout(timer);
      script.remove();
      window[name] = () => delete window[name]; // an answer after the timeout must still find a function
      how(value);
    };
    const timer = setTimeout(() => settle(reject, new Error("the script did not come in time")), timeout);
    window[name] = (answer) => settle(resolve, answer);
    script.onload = () => delete window[name];
    script.onerror = () => settle(reject, new Error("the script could not be loaded"));
    document.head.append(script);
  });
}

/** How to make each wire; the keys are the names the pages use. */
export const WIRES = {
  "websocket": () => new WebSocketWire(),
  "sse": () => new EventStreamWire(),
  "long-poll": () => new PollWire(exchangeByPost, { wait: 25 }),
  "short-poll": () => new PollWire(exchangeByPost, { wait: 0, pause: 1000 }),
  "jsonp": () => new PollWire(exchangeByScript, { wait: 25 }),
};

export const TRANSPORTS = Object.keys(WIRES);
