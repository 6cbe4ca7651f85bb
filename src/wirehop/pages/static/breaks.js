// Breaks the network of a page: it stands between the SDK and the browser's WebSocket, fetch, EventSource and scripts.
//
// It knows connections and nothing of sessions: the SDK gets `context` and has to come back by itself. A connection
// passes everything on in order, later where the link is slow. In a tunnel nothing passes: connections that were open
// carry nothing any more, whatever is asked of them, and break at its end, as those of a phone that comes out with
// another address; new ones hang until then. JavaScript cannot reset a WebSocket: one that breaks is closed with 4000,
// which is as silent for a session as a reset.

export const SLOW_MILLISECONDS = 400; // each way
export const TUNNEL_MILLISECONDS = 10_000;
const MOST_WAITING = 10_000; // pieces that are under way in one direction; beyond it the connection breaks
const BROKEN = 1006;
const LEFT = 4000;

/** One direction of a connection. */
class Way {
  #waiting = []; // {due, run}
  #timer;

  constructor(link, network) {
    Object.assign(this, { link, network });
  }

  /** Run it when it would arrive; never if the connection carries nothing any more. */
  pass(run) {
    if (!this.link.isOpen || this.link.isDead) return;
    const due = Math.max(this.network.arrival(), this.#waiting.at(-1)?.due ?? 0);
    if (!this.#waiting.length && due <= performance.now()) return run();
    if (this.#waiting.push({ due, run }) > MOST_WAITING) return this.link.break();
    if (this.#waiting.length === 1) this.#arm();
  }

  clear() {
    clearTimeout(this.#timer);
    this.#waiting = [];
  }

  #arm() {
    this.#timer = setTimeout(() => {
      while (this.#waiting.length && this.#waiting[0].due <= performance.now()) this.#waiting.shift().run();
      if (this.#waiting.length) this.#arm();
    }, this.#waiting[0].due - performance.now());
  }
}

/** One connection. `broken` is called when the network ends it. */
class Link {
  isOpen = true;
  isDead = false; // it will break, and carries nothing until then

  constructor(network, kind, broken) {
    Object.assign(this, { network, kind, broken, up: new Way(this, network), down: new Way(this, network) });
    network.links.add(this);
  }

  kill() {
    this.isDead = true;
    this.up.clear();
    this.down.clear();
  }

  end() {
    this.kill();
    this.isOpen = false;
    this.network.links.delete(this);
  }

  break() {
    if (!this.isOpen) return;
    this.end();
    this.broken();
  }
}

/** The page's network. It fires `change`. Give `context` to the SDK's `connect`. */
export class Breaks extends EventTarget {
  links = new Set();
  isSlow = false;
  blocksWebSocket = false;
  tunnelEnds = 0; // by performance.now(); 0 for no tunnel

  context = {
    WebSocket: socketOf(this),
    EventSource: eventSourceOf(this),
    fetch: fetchOf(this),
    document: documentOf(this),
  };

  /** Everything that is open breaks, without a word. */
  cut() {
    for (const link of [...this.links]) link.break();
  }

  /** For ten seconds nothing gets through. */
  tunnel() {
    if (this.tunnelEnds) return;
    this.tunnelEnds = performance.now() + TUNNEL_MILLISECONDS;
    const inside = [...this.links];
    for (const link of inside) link.kill();
    setTimeout(() => {
      this.tunnelEnds = 0;
      for (const link of inside) link.break();
      this.#changed();
    }, TUNNEL_MILLISECONDS);
    this.#changed();
  }

  slow(isSlow) {
    this.isSlow = isSlow;
    this.#changed();
  }

  blockWebSocket(blocks) {
    this.blocksWebSocket = blocks;
    if (blocks) for (const link of [...this.links]) if (link.kind === "websocket") link.break();
    this.#changed();
  }

  /** When what is sent now arrives. */
  arrival() {
    return Math.max(performance.now(), this.tunnelEnds) + (this.isSlow ? SLOW_MILLISECONDS : 0);
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}

// ---- what the SDK sees of it ----------------------------------------------------------------------------------------

/** Closing one that is not open yet would be reported as an error. */
function hangUp(socket, code) {
  if (socket?.readyState === WebSocket.CONNECTING) socket.onopen = () => socket.close(code);
  else socket?.close(code);
}

const socketOf = (network) =>
  class {
    readyState = WebSocket.CONNECTING;
    onopen = null;
    onmessage = null;
    onerror = null;
    onclose = null;
    #socket;
    #link;

    constructor(url) {
      this.#link = new Link(network, "websocket", () => {
        hangUp(this.#socket, LEFT);
        this.#closed(BROKEN, "");
      });
      if (network.blocksWebSocket) setTimeout(() => this.#link.break());
      else this.#link.up.pass(() => this.#connect(url));
    }

    #connect(url) {
      const { down } = this.#link;
      const socket = (this.#socket = new WebSocket(url));
      socket.onopen = () => down.pass(() => this.#opened());
      socket.onmessage = ({ data }) => down.pass(() => this.onmessage?.({ data }));
      socket.onclose = ({ code, reason }) => down.pass(() => this.#closed(code, reason));
    }

    #opened() {
      if (this.readyState !== WebSocket.CONNECTING) return;
      this.readyState = WebSocket.OPEN;
      this.onopen?.();
    }

    #closed(code, reason) {
      this.#link.end();
      this.readyState = WebSocket.CLOSED;
      this.onclose?.({ code, reason });
    }

    send(data) {
      this.#link.up.pass(() => this.#socket.readyState === WebSocket.OPEN && this.#socket.send(data));
    }

    close(code) {
      if (this.readyState < WebSocket.CLOSING) this.readyState = WebSocket.CLOSING;
      this.#link.up.pass(() => hangUp(this.#socket, code));
    }
  };

const eventSourceOf = (network) =>
  class {
    onopen = null;
    onmessage = null;
    onerror = null;
    #source;
    #link;
    #isClosed = false;

    constructor(url) {
      this.#link = new Link(network, "sse", () => this.#failed());
      this.#link.up.pass(() => this.#connect(url));
    }

    #connect(url) {
      const { down } = this.#link;
      const source = (this.#source = new EventSource(url));
      source.onopen = () => down.pass(() => !this.#isClosed && this.onopen?.());
      source.onmessage = ({ data }) => down.pass(() => !this.#isClosed && this.onmessage?.({ data }));
      source.onerror = () => down.pass(() => this.#failed());
    }

    #failed() {
      this.#end();
      if (!this.#isClosed) this.onerror?.();
    }

    #end() {
      this.#source?.close();
      this.#link.end();
    }

    close() {
      this.#isClosed = true;
      this.#link.up.pass(() => this.#end());
    }
  };

/**
 * One request, answered with as much of a response as the SDK needs. `fail` ends it towards the page, whether its
 * answer is there already or not.
 */
class Request {
  #abort = new AbortController();
  #isOver = false;
  #controller; // of the answer's body, once that is there

  constructor(network, address, { signal, ...options }, resolve, reject) {
    Object.assign(this, { signal, resolve, reject });
    this.link = new Link(network, "fetch", () => {
      this.#abort.abort();
      this.#fail(new TypeError("the network broke"));
    });
    signal?.addEventListener("abort", this.#stop);
    this.link.up.pass(() => {
      fetch(address, { ...options, signal: this.#abort.signal }).then(
        (answer) => this.link.down.pass(() => this.#answered(answer)),
        (error) => this.link.down.pass(() => this.#fail(error)),
      );
    });
    if (signal?.aborted) this.#stop();
  }

  /** The page wants it no more: it hears so at once, the other end when that arrives. */
  #stop = () => {
    this.#fail(this.signal?.reason, { isLinkOver: false });
    this.link.up.pass(() => {
      this.link.end();
      this.#abort.abort();
    });
  };

  #fail(error, { isLinkOver = true } = {}) {
    if (isLinkOver) this.link.end();
    if (this.#isOver) return;
    this.#over();
    if (this.#controller) this.#controller.error(error);
    else this.reject(error);
  }

  #over() {
    this.#isOver = true;
    this.signal?.removeEventListener("abort", this.#stop);
  }

  #answered(answer) {
    if (this.#isOver) return;
    const { ok, status, statusText, headers } = answer;
    const body = answer.body && this.#relayed(answer.body.getReader());
    if (!body) this.#done();
    this.resolve({ ok, status, statusText, headers, body, json: async () => JSON.parse(await textOf(body)) });
  }

  #done() {
    this.#over();
    this.link.end();
  }

  #relayed(reader) {
    const came = (value) => !this.#isOver && this.#controller.enqueue(value);
    const ended = () => {
      if (this.#isOver) return;
      this.#done();
      this.#controller.close();
    };
    const read = async () => {
      for (;;) {
        const { done, value } = await reader.read();
        this.link.down.pass(() => (done ? ended() : came(value)));
        if (done) return;
      }
    };
    return new ReadableStream({
      start: (controller) => {
        this.#controller = controller;
        read().catch((error) => this.link.down.pass(() => this.#fail(error)));
      },
      cancel: () => {
        this.#over();
        this.#stop();
      },
    });
  }
}

/** Not by a `Response`: Firefox reports a stream that breaks under it as an error of the page. */
async function textOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text;
    text += value;
  }
}

const fetchOf =
  (network) =>
  (address, options = {}) =>
    new Promise((resolve, reject) => new Request(network, address, options, resolve, reject));

/** As much of a document as scripts of a JSONP wire need. */
const documentOf = (network) => ({
  get readyState() {
    return document.readyState;
  },
  createElement: (tag) => document.createElement(tag),
  head: {
    append(script) {
      const { onload, onerror } = script;
      const link = new Link(network, "jsonp", () => {
        onerror?.();
        setTimeout(() => (window[name] = () => delete window[name])); // a script that runs cannot be stopped
      });
      const name = new URL(script.src).searchParams.get("callback");
      const take = window[name];
      window[name] = (answer) => link.down.pass(() => take(answer));
      script.onerror = () => link.down.pass(() => onerror?.());
      script.onload = () => link.down.pass(() => onload?.());
      for (const type of ["load", "error"]) script.addEventListener(type, () => link.down.pass(() => link.end()));
      link.up.pass(() => document.head.append(script));
    },
  },
});
