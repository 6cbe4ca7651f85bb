/** The browser's client: turns calls into commands, replies into values, and machine outputs into events. */

import { Channel, type Publication } from "./channel.js";
import { Deferred, type Conversation } from "./conversation.js";
import { Emitter, report } from "./emitter.js";
import type { Output } from "./machine/outputs.js";
import { Memory, storageOf } from "./memory.js";
import type { ClientInfo, Command, HistoryResult, Position, Reply } from "./messages.js";
import { OwnConversation, contextOf, offeredWires } from "./own.js";
import type { Role, WiresReport } from "./report.js";
import type { WireContext } from "./wire.js";

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
  /**
   * One connection for all tabs of this origin and server that say the same here: `true`, or a word of the application's
   * (the user's id), so that tabs of different users do not share. Without Web Locks or BroadcastChannel: a
   * connection of its own.
   */
  shared?: boolean | string;
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

type Handler = (data: never) => unknown;

/** Connect to a server (the page's own by default), and stay connected. */
export function connect(url: string | URL = ".", options: ConnectOptions = {}): Client {
  return new Client(url, options);
}

export class Client extends Emitter<ClientEvents> {
  state: State = "connecting";
  /** Whether everything that was asked has reached the server. */
  synced = true;
  private readonly _conversation: Conversation;
  private readonly _channels = new Map<string, Channel<never>>();
  private readonly _handlers = new Map<string, Handler>();
  private readonly _memory: Memory | undefined;
  private readonly _known: Record<string, Position>;
  private readonly _ends: (() => void)[] = [];
  private readonly _context: WireContext;
  private _wasLive = false;

  /** @internal */
  constructor(url: string | URL, options: ConnectOptions) {
    super();
    const context = (this._context = contextOf(url, options.context));
    const offered = offeredWires(options.wires, context);
    const hear = (output: Output) => this._hear(output);
    const own = (notShared?: string) => new OwnConversation(context, offered, options, hear, notShared);
    this._conversation = options.shared ? this._share(context, offered, options, own) : own();
    const storage = options.remember ? storageOf("sessionStorage") : undefined;
    this._memory = storage && new Memory(storage, `wirehop:session:${context.base.href}`, context.clock);
    const kept = this._memory?.recall();
    this._known = kept?.positions ?? {};
    if (kept?.token) this._conversation.restore(kept.token);
    this._watchPage();
    // channels that the page names in this turn go with the connect command
    void Promise.resolve().then(() => this._conversation.connect());
  }

  private _share(
    context: WireContext,
    offered: string[],
    options: ConnectOptions,
    own: (notShared: string) => Conversation,
  ): Conversation {
    const { locks } = navigator as Partial<Navigator>;
    if (!locks || typeof BroadcastChannel === "undefined") {
      return own("no Web Locks (they need HTTPS or localhost) or no BroadcastChannel here");
    }
    const hear = (output: Output) => this._hear(output);
    const coming = import("./shared/shared.js").then(({ share }) =>
      share({
        name: `wirehop:${context.base.href}:${options.shared}`,
        clock: context.clock,
        locks,
        hear,
        own: (heard, drained) => new OwnConversation(context, offered, options, heard, "", drained),
      }),
    );
    return new Deferred(coming.catch((error) => own(`not shared: ${error}`)), hear);
  }

  /** The session's public id; empty without a connection. */
  get id(): string {
    return this._conversation.id;
  }

  /** The kind of the current wire; empty for none. */
  get transport(): string {
    return this._conversation.transport;
  }

  /** How often another wire has taken over, the session going on. */
  get moves(): number {
    return this._conversation.moves;
  }

  /** Whose the connection is: `alone` where it is not shared, else `leader` (this tab's) or `follower` (another's). */
  get role(): Role {
    return this._conversation.wires().role;
  }

  /** What was measured of each kind of wire that is possible here, and why this one was chosen. */
  wires(): WiresReport {
    return this._conversation.wires();
  }

  /** From now on use these (as the option `wires`): the session moves, unless the current wire is the best of them. */
  use(wires: NonNullable<ConnectOptions["wires"]>): void {
    this._conversation.use(offeredWires(wires, this._context));
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
    this._conversation.move(to, "the page asks for it");
  }

  /** Subscribe: from `position` where one is known, else from now on. The same name gives the same channel. */
  channel<T = unknown>(name: string, options: { position?: Position; joinLeave?: boolean } = {}): Channel<T> {
    let channel = this._channels.get(name);
    if (!channel) {
      channel = new Channel<never>(this, name);
      this._channels.set(name, channel);
      const restored = options.position ? undefined : this._known[name];
      delete this._known[name]; // from here on the subscription knows better
      this._conversation.subscribe(name, options.position ?? restored, options.joinLeave ?? false, !!restored);
    }
    return channel as unknown as Channel<T>;
  }

  /** Nothing more is wanted of the channel. */
  leave(name: string): void {
    const channel = this._channels.get(name);
    this._channels.delete(name);
    delete this._known[name];
    this._conversation.unsubscribe(name);
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
    this._conversation.offer(method);
  }

  /** End for good. */
  close(): void {
    this._memory?.forget();
    this._conversation.close();
    for (const end of this._ends) end();
  }

  /** Break the current wire without a word, as a network does: for demonstrations and tests. */
  cut(): void {
    this._conversation.cut();
  }

  /** @internal */
  positionOf(channel: string): Position | undefined {
    return this._conversation.positionOf(channel);
  }

  /** @internal */
  duplicatesOf(channel: string): number {
    return this._conversation.duplicatesOf(channel);
  }

  // ---- inside

  private _ask(command: Command): Promise<Reply> {
    return new Promise((resolve, reject) => {
      this._conversation.request(command, (reply) => {
        const { error } = reply;
        if (error) reject(new CommandError(error.code, error.message, !!error.temporary));
        else resolve(reply);
      });
    });
  }

  private _hear(output: Output): void {
    this._memory?.soon(() => this._keep());
    switch (output.do) {
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
    const { state: machine, isCatchingUp } = this._conversation;
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
      this._conversation.answer(number, result);
    } catch (error) {
      if (!(error instanceof CommandError)) report(error);
      const code = error instanceof CommandError ? error.code : 100;
      const message = error instanceof Error ? error.message : String(error);
      this._conversation.answer(number, null, { code, message });
    }
  }

  private _keep(): void {
    const positions = { ...this._known, ...this._conversation.positions() };
    this._memory?.keep({ token: this._conversation.token, positions });
  }

  private _watchPage(): void {
    const world = globalThis as Partial<Window & typeof globalThis>;
    const { document } = world;
    const listen = (target: EventTarget | undefined, type: string, run: (event: Event) => void) => {
      target?.addEventListener?.(type, run);
      this._ends.push(() => target?.removeEventListener?.(type, run));
    };
    const page = world.document ? (world as unknown as EventTarget) : undefined;
    listen(page, "online", () => this._conversation.wake());
    listen(page, "offline", () => this._conversation.doubt());
    listen(page, "pagehide", (event) => {
      this._keep();
      if ((event as PageTransitionEvent).persisted) this._conversation.sleep();
      else this._conversation.leave(!!this._memory);
    });
    listen(page, "pageshow", (event) => {
      if ((event as PageTransitionEvent).persisted) this._conversation.wake();
    });
    listen(document, "freeze", () => {
      this._keep();
      if (this.role !== "alone") this._conversation.sleep();
    });
    listen(document, "resume", () => this._conversation.wake());
    listen(document, "visibilitychange", () => {
      if (document?.visibilityState === "visible") this._conversation.wake();
      else this._keep();
    });
  }
}
