/** A world for tests: time turned by hand, sockets and answers that the test gives. */

import type { Command, Measured, Reply, WireContext, WireListener } from "../src/wire.js";

/** Time that passes only in `pass`. */
export class HandClock {
  time = 1000;
  private _count = 0;
  private readonly _timers = new Map<number, { at: number; run: () => void }>();

  now = () => this.time;
  wall = () => 1_700_000_000 + this.time;
  cancel = (id: number) => void this._timers.delete(id);
  after = (seconds: number, run: () => void) => {
    this._timers.set(++this._count, { at: this.time + seconds, run });
    return this._count;
  };

  get waiting(): number {
    return this._timers.size;
  }

  /** So many seconds, timer by timer; between two of them everything that is promised happens. */
  async pass(seconds: number): Promise<void> {
    const end = this.time + seconds;
    for (let count = 0; ; count++) {
      await settled();
      const [id, next] = [...this._timers].sort(([, a], [, b]) => a.at - b.at)[0] ?? [];
      if (!next || next.at > end) break;
      if (count > 20_000) throw new Error("timers that never rest");
      this._timers.delete(id!);
      this.time = Math.max(this.time, next.at);
      next.run();
    }
    this.time = end;
    await settled();
  }

  /** The page sleeps: time passes, and no timer runs. */
  sleep(seconds: number): void {
    this.time += seconds;
  }
}

/** Everything that is promised has happened. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve));
}

export class FakeSocket {
  static all: FakeSocket[] = [];
  readyState = 0;
  sent: string[] = [];
  closedWith: number | undefined;
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  onerror: (() => void) | null = null;

  constructor(readonly url: URL) {
    FakeSocket.all.push(this);
  }

  get commands(): Command[] {
    return this.sent.flatMap((text) => text.split("\n").map((line) => JSON.parse(line) as Command));
  }

  open(): void {
    this.readyState = 1;
    this.onopen?.();
  }

  receive(...replies: Reply[]): void {
    this.onmessage?.({ data: replies.map((each) => JSON.stringify(each)).join("\n") });
  }

  breaks(code = 1006, reason = ""): void {
    this.readyState = 3;
    this.onclose?.({ code, reason });
  }

  send(text: string): void {
    this.sent.push(text);
  }

  close(code: number): void {
    this.readyState = 3;
    this.closedWith = code;
  }
}

export class FakeSource {
  static all: FakeSource[] = [];
  isClosed = false;
  onmessage: ((event: { data: string }) => void) | null = null;
  onerror: (() => void) | null = null;

  constructor(readonly url: URL) {
    FakeSource.all.push(this);
  }

  close(): void {
    this.isClosed = true;
  }
}

export interface Asked {
  url: URL;
  body: string;
  signal: AbortSignal | undefined;
  answer(status: number, body?: BodyInit | null): void;
  fail(): void;
}

/** A `fetch` whose requests the test answers; each listens to its signal. */
export function fakeFetch(): { fetch: typeof fetch; asked: Asked[] } {
  const asked: Asked[] = [];
  const run = (input: URL | RequestInfo, init: RequestInit = {}) =>
    new Promise<Response>((resolve, reject) => {
      const signal = init.signal ?? undefined;
      signal?.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError")));
      asked.push({
        url: new URL(String(input)),
        body: String(init.body ?? ""),
        signal,
        answer: (status, body = null) => resolve(new Response(status === 204 ? null : body, { status })),
        fail: () => reject(new TypeError("Failed to fetch")),
      });
    });
  return { fetch: run as typeof fetch, asked };
}

/** The context of a wire, and what it is made of. */
export function world(more: Partial<WireContext> = {}) {
  FakeSocket.all = [];
  FakeSource.all = [];
  const clock = new HandClock();
  const { fetch, asked } = fakeFetch();
  const context: WireContext = {
    base: new URL("https://example.org/"),
    paths: {},
    clock,
    fetch,
    WebSocket: FakeSocket as unknown as typeof WebSocket,
    EventSource: FakeSource as unknown as typeof EventSource,
    random: () => 0.5,
    ...more,
  };
  return { clock, asked, context };
}

/** Who listens to a wire, and remembers. */
export class Ear implements WireListener {
  replies: Reply[] = [];
  ends: { code: number; reason: string }[] = [];
  found: Measured[] = [];

  received(replies: Reply[]): void {
    this.replies.push(...replies);
  }

  lost(code: number, reason: string): void {
    this.ends.push({ code, reason });
  }

  measured(found: Measured): void {
    this.found.push(found);
  }
}

export const CONNECT: Command = { id: 4294967295, connect: { wh: {} } };
export const CONNECTED: Reply = {
  id: 4294967295,
  connect: { client: "c", ping: 25, session: "s", node: "n", wh: { attach: 1, token: "t" } },
};
