/** The browser's client: turns calls into commands, replies into values, and machine outputs into events. */

import { Channel, type Publication } from "./channel.js";
import { Chooser, ORDER, type WireReport } from "./chooser/chooser.js";
import { systemClock } from "./clock.js";
import { Driver } from "./driver.js";
import { Emitter, report } from "./emitter.js";
import { Machine } from "./machine/machine.js";
import type { Output } from "./machine/outputs.js";
import { Memory } from "./memory.js";
import type { ClientInfo, Command, HistoryResult, Position, Reply } from "./messages.js";
import type { Wire, WireContext } from "./wire.js";
import { JsonpWire } from "./wires/jsonp.js";
import { LongPollWire } from "./wires/long-poll.js";
import { ShortPollWire } from "./wires/short-poll.js";
import { SseWire } from "./wires/sse.js";
import { StreamWire } from "./wires/stream.js";
import { WebSocketWire } from "./wires/websocket.js";

export type Transport = "websocket" | "stream" | "sse" | "long-poll" | "short-poll" | "jsonp";
export type State = "connecting" | "live" | "catching-up" | "offline" | "closed";

export interface ConnectOptions {
  /** A token, or a function that gets a fresh one: asked before each connect, and ahead of its end. */
  token?: string | (() => string | Promise<string>);
  /** `auto` (all but JSONP, by measurement), one, or those that may be used. */
  wires?: "auto" | Transport | Transport[];
  /** Goes with connect. */
  data?: unknown;
  /** Keep the session and positions over a reload. */
  remember?: boolean;
  /** For tests: the world. */
  context?: Partial<WireContext>;
}

export interface ClientEvents {
  state: { state: State; code: number; reason: string; retryIn: number };
  moved: { transport: string; resumed: boolean };
  /** A wire that was to take over has failed; the old one stays. */
  moveFailed: { code: number; reason: string };
  message: unknown;
  synced: boolean;
}

/** What a command failed with; codes are in docs/codes.md. */
export class CommandError extends Error {
  constructor(
    readonly code: number,
    message: string,
    readonly temporary: boolean,
  ) {
    super(message);
  }
}

type Wires = (WireReport & { offered: boolean | undefined })[];
type Handler = (data: never) => unknown;

const WIRES: Record<string, new (context: WireContext) => Wire> = {
  websocket: WebSocketWire,
  stream: StreamWire,
  sse: SseWire,
  "long-poll": LongPollWire,
  "short-poll": ShortPollWire,
  jsonp: JsonpWire,
};

/** Connect to a server (the page's own by default), and stay connected. */
export function connect(url: string | URL = ".", options: ConnectOptions = {}): Client {
  return new Client(url, options);
}

export class Client extends Emitter<ClientEvents> {
  state: State = "connecting";
  /** Whether everything that was asked has reached the server. */
  synced = true;
  private readonly _machine: Machine;
  private readonly _driver: Driver;
  private readonly _chooser: Chooser;
  private readonly _channels = new Map<string, Channel<never>>();
  private readonly _calls = new Map<number, (reply: Reply) => void>();
  private readonly _handlers = new Map<string, Handler>();
  private readonly _memory: Memory | undefined;
  private readonly _known: Record<string, Position>;
  private readonly _ends: (() => void)[] = [];
  private readonly _context: WireContext;
  private readonly _possible: string[];
  private _offers: Record<string, string> | undefined;
  private _wasLive = false;

  /** @internal */
  constructor(url: string | URL, options: ConnectOptions) {
    super();
    const world = globalThis as Partial<Window & typeof globalThis>;
    const base = new URL(url, world.location?.href);
    const context: WireContext = {
      base,
      paths: {},
      clock: systemClock,
      ...(world.fetch && { fetch: world.fetch.bind(globalThis) }),
      ...(world.WebSocket && { WebSocket: world.WebSocket }),
      ...(world.EventSource && { EventSource: world.EventSource }),
      ...(world.document && { document: world.document }),
      random: Math.random,
      ...options.context,
    };
    const { wires = "auto", token } = options;
    this._context = context;
    this._possible = ORDER.filter((each) => isPossible(each, context));
    this._machine = new Machine(
      {
        ...(typeof token === "string" && { token }),
        ...(options.data !== undefined && { data: options.data }),
        name: "wirehop-js",
        version: __VERSION__,
      },
      () => context.random(),
    );
    this._chooser = new Chooser({
      offered: this._wanted(wires),
      possible: this._possible,
      origin: base.origin,
      storage: storageOf("localStorage"),
      now: () => context.clock.now(),
      wall: () => context.clock.wall(),
      random: () => context.random(),
    });
    this._driver = new Driver(
      this._machine,
      this._chooser,
      context,
      (transport) => new WIRES[transport]!(context),
      (output) => this._hear(output),
      typeof token === "function" ? async () => token() : undefined,
    );
    const storage = options.remember ? storageOf("sessionStorage") : undefined;
    this._memory = storage && new Memory(storage, `wirehop:session:${base.href}`, context.clock);
    const kept = this._memory?.recall();
    this._known = kept?.positions ?? {};
    if (kept?.token) this._machine.restore(kept.token);
    this._watchPage(world);
    // channels that the page names in this turn go with the connect command
    void Promise.resolve().then(() => this._driver.run(() => this._machine.connect()));
  }

  /** The session's public id; empty without a connection. */
  get id(): string {
    return this._machine.result?.client ?? "";
  }

  /** The kind of the current wire; empty for none. */
  get transport(): string {
    return this._driver.transport;
  }

  /** How often another wire has taken over, the session going on. */
  get moves(): number {
    return this._driver.moves;
  }

  /**
   * What was measured of each kind of wire that is possible here, and why this one was chosen. `offered`: whether the
   * server has it (undefined: not known before the first connect).
   */
  wires(): { current: string; why: string; wires: Wires } {
    const offers = (this._offers = this._machine.result?.wh?.wires ?? this._offers);
    const wires = this._driver.report().map((each) => ({
      ...each,
      offered: offers && each.transport.replace(/.*-/, "") in offers, // long and short polls are one to it
    }));
    return { current: this.transport, why: this._chooser.why, wires };
  }

  /** From now on use these (as the option `wires`): the session moves, unless the current wire is the best of them. */
  use(wires: NonNullable<ConnectOptions["wires"]>): void {
    this._driver.offer(this._wanted(wires));
  }

  /** Seconds that an answer takes over the current wire. */
  async ping(): Promise<number> {
    const { clock } = this._context;
    const began = clock.now();
    await this._ask({ ping: {} });
    return clock.now() - began;
  }

  /** Go on over another wire: one of `to` (none: any other), beside the current one until it is confirmed. */
  move(...to: Transport[]): void {
    this._driver.run((now) => this._machine.move(to, now, "the page asks for it"));
  }

  /** Subscribe: from `position` where one is known, else from now on. The same name gives the same channel. */
  channel<T = unknown>(name: string, options: { position?: Position; joinLeave?: boolean } = {}): Channel<T> {
    let channel = this._channels.get(name);
    if (!channel) {
      channel = new Channel<never>(this, name);
      this._channels.set(name, channel);
      const restored = options.position ? undefined : this._known[name];
      delete this._known[name]; // from here on the subscription knows better
      this._driver.run(() =>
        this._machine.subscribe(name, options.position ?? restored, options.joinLeave ?? false, !!restored),
      );
    }
    return channel as unknown as Channel<T>;
  }

  /** Nothing more is wanted of the channel. */
  leave(name: string): void {
    const channel = this._channels.get(name);
    this._channels.delete(name);
    delete this._known[name];
    this._driver.run(() => this._machine.unsubscribe(name));
    channel?.emit("unsubscribed", { code: 0, reason: "left" });
  }

  async publish(
    channel: string,
    data: unknown,
    { key, event }: { key?: string; event?: string } = {},
  ): Promise<Position | undefined> {
    const wh = key || event ? { wh: { ...(key && { key }), ...(event && { event }) } } : {};
    const { publish } = await this._ask({ publish: { channel, data, ...wh } });
    return publish?.wh?.epoch ? { epoch: publish.wh.epoch, offset: publish.wh.offset ?? 0 } : undefined;
  }

  /** Call a method of the server. */
  async rpc<T = unknown>(method: string, data: unknown = null): Promise<T> {
    return (await this._ask({ rpc: { method, data } })).rpc?.data as T;
  }

  /** Send something that wants no reply; resolves when the server is known to have it. */
  async send(data: unknown): Promise<void> {
    await Promise.all([this._ask({ send: { data } }), this._ask({ ping: {} })]);
  }

  async presence(channel: string): Promise<Record<string, ClientInfo>> {
    return (await this._ask({ presence: { channel } })).presence?.presence ?? {};
  }

  async history(
    channel: string,
    options: { limit?: number; since?: Position; reverse?: boolean } = {},
  ): Promise<HistoryResult> {
    return (await this._ask({ history: { channel, limit: 100, ...options } })).history ?? {};
  }

  /** Answer calls of the server. What the function throws goes back as an error. */
  handle<T = unknown>(method: string, handler: (data: T) => unknown): void {
    this._handlers.set(method, handler as Handler);
  }

  /** End for good. */
  close(): void {
    this._memory?.forget();
    this._driver.run(() => this._machine.close());
    for (const end of this._ends) end();
  }

  /** Break the current wire without a word, as a network does: for demonstrations and tests. */
  cut(): void {
    this._driver.cut();
  }

  /** @internal */
  positionOf(channel: string): Position | undefined {
    return this._machine.subscriptions.get(channel)?.position;
  }

  /** @internal */
  duplicatesOf(channel: string): number {
    return this._machine.subscriptions.get(channel)?.duplicates ?? 0;
  }

  // ---- inside

  private _wanted(wires: NonNullable<ConnectOptions["wires"]>): string[] {
    const wanted = wires === "auto" ? ORDER.filter((each) => each !== "jsonp") : ([] as string[]).concat(wires);
    const found = wanted.filter((each) => this._possible.includes(each));
    if (!found.length) throw new Error(`none of these wires is possible here: ${wanted}`);
    return found;
  }

  private _ask(command: Command): Promise<Reply> {
    return new Promise((resolve, reject) => {
      this._driver.run(() => {
        this._calls.set(this._machine.request(command), (reply) => {
          const { error } = reply;
          if (error) reject(new CommandError(error.code, error.message, !!error.temporary));
          else resolve(reply);
        });
      });
    });
  }

  private _hear(output: Output): void {
    this._memory?.soon(() => this._keep());
    switch (output.do) {
      case "answered": {
        const settle = this._calls.get(output.call);
        this._calls.delete(output.call);
        settle?.(output.reply);
        break;
      }
      case "deliver": {
        const { channel: name, publication } = output;
        const position = publication.offset ? this.positionOf(name) : undefined;
        const at = position && { epoch: position.epoch, offset: publication.offset! };
        this._channels.get(name)?.emit("publication", { ...publication, channel: name, position: at } as Publication<never>);
        break;
      }
      case "subscribed": {
        const { channel: name, recovered, position, byServer } = output;
        const channel = this._channels.get(name) ?? this._given(name);
        channel.isLive = true;
        channel.emit("subscribed", { recovered, position, byServer });
        this._settle();
        break;
      }
      case "unsubscribed": {
        const channel = this._channels.get(output.channel);
        this._channels.delete(output.channel);
        if (channel) channel.isLive = false;
        channel?.emit("unsubscribed", { code: output.code, reason: output.reason });
        this._settle();
        break;
      }
      case "presence":
        this._channels.get(output.channel)?.emit(output.change, output.info);
        break;
      case "message":
        this.emit("message", output.data);
        break;
      case "call":
        void this._run(output.number, output.method, output.data);
        break;
      case "moved":
        this.emit("moved", { transport: this.transport, resumed: output.resumed });
        this._settle();
        break;
      case "trial_failed":
        this.emit("moveFailed", { code: output.code, reason: output.reason });
        break;
      case "synced":
        this.synced = output.synced;
        this.emit("synced", output.synced);
        break;
      case "state":
        this._settle(output.code, output.reason, output.delay);
        break;
    }
  }

  /** A channel that the server has subscribed the session to. */
  private _given(name: string): Channel<never> {
    const channel = new Channel<never>(this, name);
    this._channels.set(name, channel);
    return channel;
  }

  /** The state as pages know it. */
  private _settle(code = 0, reason = "", retryIn = 0): void {
    const held = [...this._machine.subscriptions.values()];
    const machine = this._machine.state;
    const isCatchingUp = held.some((each) => each.state !== "live");
    const state: State =
      machine === "closed"
        ? "closed"
        : machine === "connected"
          ? isCatchingUp && this._wasLive
            ? "catching-up"
            : "live"
          : this._wasLive || machine === "waiting"
            ? "offline"
            : "connecting";
    if (state === "live") this._wasLive = true;
    if (state !== this.state || retryIn) {
      this.state = state;
      this.emit("state", { state, code, reason, retryIn });
    }
  }

  private async _run(number: number, method: string, data: unknown): Promise<void> {
    const handler = this._handlers.get(method);
    try {
      if (!handler) throw new CommandError(104, `this client has no method ${method}`, false);
      const result = await handler(data as never);
      this._driver.run(() => this._machine.answer(number, result));
    } catch (error) {
      if (!(error instanceof CommandError)) report(error);
      const code = error instanceof CommandError ? error.code : 100;
      const message = error instanceof Error ? error.message : String(error);
      this._driver.run(() => this._machine.answer(number, null, { code, message }));
    }
  }

  private _keep(): void {
    const positions = { ...this._known };
    for (const { channel, position } of this._machine.subscriptions.values()) {
      if (position) positions[channel] = position;
    }
    this._memory?.keep({ token: this._machine.token, positions });
  }

  private _watchPage(world: Partial<Window & typeof globalThis>): void {
    const { document } = world;
    const listen = (target: EventTarget | undefined, type: string, run: (event: Event) => void) => {
      target?.addEventListener?.(type, run);
      this._ends.push(() => target?.removeEventListener?.(type, run));
    };
    const page = world.document ? (world as unknown as EventTarget) : undefined;
    listen(page, "online", () => this._driver.wake());
    listen(page, "offline", () => this._driver.doubt());
    listen(page, "pagehide", (event) => {
      this._keep();
      if ((event as PageTransitionEvent).persisted) this._driver.freeze();
      else if (!this._memory) this._driver.run(() => this._machine.close());
    });
    listen(page, "pageshow", (event) => {
      if ((event as PageTransitionEvent).persisted) this._driver.wake();
    });
    listen(document, "freeze", () => this._keep());
    listen(document, "resume", () => this._driver.wake());
    listen(document, "visibilitychange", () => {
      if (document?.visibilityState === "visible") this._driver.wake();
      else this._keep();
    });
  }
}

function isPossible(transport: string, context: WireContext): boolean {
  if (transport === "websocket") return !!context.WebSocket;
  if (transport === "sse") return !!context.EventSource && !!context.fetch;
  if (transport === "jsonp") return !!context.document;
  if (transport === "stream") return !!context.fetch && typeof TextDecoderStream !== "undefined";
  return transport in WIRES && !!context.fetch;
}

function storageOf(name: "localStorage" | "sessionStorage"): Storage | undefined {
  try {
    return globalThis[name];
  } catch {
    return undefined; // forbidden here
  }
}
