/** A server and the network to it, for tests of the whole client: each kind of wire can be blocked, swallow bytes, or hold them back. */

import type { Command, Reply, WireContext } from "../src/wire.js";
import { HandClock } from "./world.js";

export type Kind = "websocket" | "stream" | "sse" | "long-poll";
/** `hole`: nothing comes back. `eats`: it opens, and nothing follows. `broken`: what comes is none of ours. */
export type Weather = "well" | "blocked" | "hole" | "eats" | "broken";

/** One connection as the server has it. */
interface Line {
  kind: Kind;
  session: string;
  down(replies: Reply[]): void;
  /** Break it as a network does. */
  breaks(code?: number, reason?: string): void;
  isOpen: boolean;
}

export class Network {
  readonly clock = new HandClock();
  readonly weather: Record<Kind, Weather> = { websocket: "well", stream: "well", sse: "well", "long-poll": "well" };
  /** When something was opened, and what. */
  readonly attempts: { kind: Kind; at: number }[] = [];
  readonly lines: Line[] = [];
  readonly commands: Command[] = [];
  beacons: string[] = [];
  /** Seconds there and back. */
  roundTrip = 0.05;
  heartbeat = 25;
  /** By so much heartbeats come late. */
  lateness = 0;
  /** Tokens that the server knows; a connect with another one gets a new session. */
  tokens = new Set<string>();
  refusal: { code: number; message: string } | undefined;
  offset = 0;
  private _count = 0;

  get context(): Partial<WireContext> {
    const net = this;
    return {
      clock: this.clock,
      random: () => 0.5,
      fetch: ((input: URL, init: RequestInit) => this._fetch(new URL(String(input)), init)) as typeof fetch,
      WebSocket: class extends Socket {
        constructor() {
          super(net);
        }
      } as unknown as typeof WebSocket,
      EventSource: class extends Source {
        constructor(url: URL) {
          super(net, new URL(url));
        }
      } as unknown as typeof EventSource,
    };
  }

  /** Those that are open. */
  get open(): Line[] {
    return this.lines.filter((each) => each.isOpen);
  }

  tried(kind: Kind): number {
    return this.attempts.filter((each) => each.kind === kind).length;
  }

  /** The next publication of a channel, to all that are open. */
  publish(channel: string, data: unknown): void {
    this.offset++;
    for (const line of this.open) this.give(line, [{ push: { channel, pub: { data, offset: this.offset } } }]);
  }

  line(kind: Kind, more: Pick<Line, "down" | "breaks">): Line {
    const made: Line = { kind, session: `s${++this._count}`, isOpen: true, ...more };
    this.lines.push(made);
    const beat = () => {
      if (!made.isOpen) return;
      this.give(made, [{}]);
      this.clock.after(this.heartbeat + this.lateness, beat);
    };
    this.clock.after(this.heartbeat + this.lateness, beat);
    return made;
  }

  begins(kind: Kind): Weather {
    this.attempts.push({ kind, at: this.clock.time });
    return this.weather[kind];
  }

  give(line: Line, replies: Reply[]): void {
    if (!replies.length) return;
    this.clock.after(this.roundTrip / 2, () => {
      if (line.isOpen && this.weather[line.kind] === "well") line.down(replies);
    });
  }

  take(line: Line, commands: Command[]): void {
    if (this.weather[line.kind] !== "well") return;
    this.clock.after(this.roundTrip / 2, () => {
      if (line.isOpen) this.give(line, commands.flatMap((each) => this._answer(line, each)));
    });
  }

  private _answer(line: Line, command: Command): Reply[] {
    this.commands.push(command);
    const id = command.id ?? 0;
    if (command.connect) {
      if (this.refusal) return [{ id, error: this.refusal }];
      const shown = command.connect.wh?.token ?? "";
      const resumed = this.tokens.has(shown);
      const token = `t${++this._count}`;
      this.tokens.add(token);
      const named = Object.keys(command.connect.wh?.positions ?? {});
      const subs = Object.fromEntries(named.map((name) => [name, this._subscribed(true)]));
      const wh = { attach: this._count, token, next: 1, ...(resumed && { resumed, subs }) };
      return [
        { id, connect: { client: resumed ? "same" : token, ping: this.heartbeat, pong: true, session: line.session, wh } },
      ];
    }
    if (command.subscribe) return [{ id, subscribe: this._subscribed(!!command.subscribe.recover) }];
    if (command.ping) return [{ id, ping: {}, wh: { next: 1 } }];
    if (command.publish) return [{ id, publish: { wh: { epoch: "e", offset: ++this.offset } } }];
    if (command.rpc) return command.rpc.method === "never" ? [] : [{ id, rpc: { data: command.rpc.data } }];
    return [];
  }

  private _subscribed(was_recovering: boolean) {
    return { recoverable: true, epoch: "e", offset: this.offset, was_recovering, recovered: was_recovering };
  }

  private _fetch(url: URL, init: RequestInit): Promise<Response> {
    const path = url.pathname;
    const never = new Promise<Response>((_, reject) =>
      init.signal?.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError"))),
    );
    never.catch(() => undefined); // nobody may wait for it
    if (path === "/emulation") return Promise.race([never, this._post(String(init.body))]);
    const weather = this.begins(path.endsWith("stream") ? "stream" : "long-poll");
    if (weather === "blocked") return Promise.reject(new TypeError("Failed to fetch"));
    if (weather === "broken") return Promise.resolve(new Response("<html>", { status: 200 }));
    if (weather !== "well") return never;
    return path.endsWith("stream") ? this._stream(String(init.body), init.signal!) : Promise.race([never, this._poll(String(init.body))]);
  }

  private async _post(body: string): Promise<Response> {
    const { session, data } = JSON.parse(body) as { session: string; data: string };
    const line = this.open.find((each) => each.session === session);
    if (!line) return new Response("", { status: 404 });
    this.take(line, data.split("\n").map((each) => JSON.parse(each) as Command));
    return new Response(null, { status: 204 });
  }

  private async _stream(body: string, signal: AbortSignal): Promise<Response> {
    let controller!: ReadableStreamDefaultController<Uint8Array>;
    const lines = new ReadableStream<Uint8Array>({ start: (given) => void (controller = given) });
    const line = this.line("stream", {
      down: (replies) => controller.enqueue(new TextEncoder().encode(replies.map((each) => `${JSON.stringify(each)}\n`).join(""))),
      breaks: () => {
        line.isOpen = false;
        controller.error(new TypeError("network error"));
      },
    });
    signal.addEventListener("abort", () => line.isOpen && line.breaks());
    this.take(line, [JSON.parse(body) as Command]);
    return new Response(lines, { status: 200 });
  }

  private readonly _held = new Map<string, { batch: number; queue: Reply[]; answer: (() => void) | undefined }>();

  private _poll(body: string): Promise<Response> {
    const asked = JSON.parse(body) as { session?: string; poll: number; commands: Command[] };
    let line = this.open.find((each) => each.session === asked.session);
    if (!line) {
      const held = { batch: 0, queue: [] as Reply[], answer: undefined as (() => void) | undefined };
      line = this.line("long-poll", {
        down: (replies) => {
          held.queue.push(...replies);
          held.answer?.();
        },
        breaks: () => void (line!.isOpen = false),
      });
      this._held.set(line.session, held);
    }
    const { session } = line;
    const held = this._held.get(session)!;
    held.answer?.();
    this.take(line, asked.commands);
    return new Promise((resolve) => {
      const answer = () => {
        held.answer = undefined;
        const replies = held.queue.splice(0);
        const more = replies.length ? { batch: ++held.batch, replies } : {};
        resolve(new Response(JSON.stringify({ session, poll: asked.poll, ...more }), { status: 200 }));
      };
      if (held.queue.length) answer();
      else held.answer = answer;
      this.clock.after(25, () => held.answer === answer && answer());
    });
  }
}

class Socket {
  readyState = 0;
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  onerror: (() => void) | null = null;
  private _line: Line | undefined;

  constructor(private readonly _net: Network) {
    const weather = _net.begins("websocket");
    if (weather === "hole") return;
    _net.clock.after(_net.roundTrip, () => {
      if (weather === "blocked" || this.readyState === 3) return this._ends(1006, "");
      this.readyState = 1;
      this._line = _net.line("websocket", {
        down: (replies) => this.onmessage?.({ data: replies.map((each) => JSON.stringify(each)).join("\n") }),
        breaks: (code = 1006, reason = "") => this._ends(code, reason),
      });
      this.onopen?.();
    });
  }

  send(text: string): void {
    if (this._line) this._net.take(this._line, text.split("\n").map((each) => JSON.parse(each) as Command));
  }

  close(): void {
    if (this._line) this._line.isOpen = false;
    this.readyState = 3;
  }

  private _ends(code: number, reason: string): void {
    this.close();
    this.onclose?.({ code, reason });
  }
}

class Source {
  onmessage: ((event: { data: string }) => void) | null = null;
  onerror: (() => void) | null = null;
  private _line: Line | undefined;

  constructor(net: Network, url: URL) {
    const weather = net.begins("sse");
    if (weather === "blocked") net.clock.after(0, () => this.onerror?.());
    if (weather !== "well") return;
    this._line = net.line("sse", {
      down: (replies) => replies.forEach((each) => this.onmessage?.({ data: JSON.stringify(each) })),
      breaks: () => {
        this.close();
        this.onerror?.();
      },
    });
    net.take(this._line, [JSON.parse(url.searchParams.get("cf_connect")!) as Command]);
  }

  close(): void {
    if (this._line) this._line.isOpen = false;
  }
}
