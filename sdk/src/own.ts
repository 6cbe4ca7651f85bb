/** A conversation over a connection of this page's own: the machine, what drives it, and the choice of wires. */

import { Chooser, ORDER } from "./chooser/chooser.js";
import { systemClock } from "./clock.js";
import type { ConnectOptions } from "./client.js";
import type { Conversation, Settle } from "./conversation.js";
import { Driver } from "./driver.js";
import { Machine } from "./machine/machine.js";
import type { MachineState, Output } from "./machine/outputs.js";
import { storageOf } from "./memory.js";
import type { Command, Position, ReplyError } from "./messages.js";
import type { WiresReport } from "./report.js";
import type { Wire, WireContext } from "./wire.js";
import { JsonpWire } from "./wires/jsonp.js";
import { LongPollWire } from "./wires/long-poll.js";
import { ShortPollWire } from "./wires/short-poll.js";
import { SseWire } from "./wires/sse.js";
import { StreamWire } from "./wires/stream.js";
import { WebSocketWire } from "./wires/websocket.js";

const WIRES: Record<string, new (context: WireContext) => Wire> = {
  websocket: WebSocketWire,
  stream: StreamWire,
  sse: SseWire,
  "long-poll": LongPollWire,
  "short-poll": ShortPollWire,
  jsonp: JsonpWire,
};

export class OwnConversation implements Conversation {
  private readonly _machine: Machine;
  private readonly _driver: Driver;
  private readonly _chooser: Chooser;
  private readonly _calls = new Map<number, Settle>();
  private _offers: Record<string, string> | undefined;

  /** `offered` are the wires that may be used; `drained` is called after each change. */
  constructor(
    context: WireContext,
    offered: string[],
    options: ConnectOptions,
    hear: (output: Output) => void,
    private readonly _notShared = "",
    drained?: () => void,
  ) {
    const { token } = options;
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
      offered,
      possible: ORDER.filter((each) => isPossible(each, context)),
      origin: context.base.origin,
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
      (output) => (output.do === "answered" ? this._settle(output.call, output.reply) : hear(output)),
      typeof token === "function" ? async () => token() : undefined,
      drained,
    );
  }

  get state(): MachineState {
    return this._machine.state;
  }
  get isCatchingUp(): boolean {
    return [...this._machine.subscriptions.values()].some((each) => each.state !== "live");
  }
  get id(): string {
    return this._machine.result?.client ?? "";
  }
  get transport(): string {
    return this._driver.transport;
  }
  get moves(): number {
    return this._driver.moves;
  }
  get token(): string {
    return this._machine.token;
  }

  wires(): WiresReport {
    const { why } = this._chooser;
    const offers = (this._offers = this._machine.result?.wh?.wires ?? this._offers);
    const wires = this._driver.report().map((each) => ({
      ...each,
      offered: offers && each.transport.replace(/.*-/, "") in offers, // long and short polls are one to it
    }));
    return { current: this.transport, why, wires, role: "alone", notShared: this._notShared };
  }

  positionOf(channel: string): Position | undefined {
    return this._machine.subscriptions.get(channel)?.position;
  }

  positions(): Record<string, Position> {
    const positions: Record<string, Position> = {};
    for (const { channel, position } of this._machine.subscriptions.values()) {
      if (position) positions[channel] = position;
    }
    return positions;
  }

  duplicatesOf(channel: string): number {
    return this._machine.subscriptions.get(channel)?.duplicates ?? 0;
  }

  restore(token: string): void {
    this._machine.restore(token);
  }

  connect(): void {
    this._driver.run(() => this._machine.connect());
  }

  subscribe(...wanted: Parameters<Conversation["subscribe"]>): void {
    this._driver.run(() => this._machine.subscribe(...wanted));
  }

  unsubscribe(channel: string): void {
    this._driver.run(() => this._machine.unsubscribe(channel));
  }

  request(command: Command, settle: Settle): void {
    this._driver.run(() => this._calls.set(this._machine.request(command), settle));
  }

  answer(number: number, data: unknown, error?: ReplyError): void {
    this._driver.run(() => this._machine.answer(number, data, error));
  }

  offer(): void {
    // the client knows its handlers
  }

  move(to: string[], reason: string): void {
    this._driver.run((now) => this._machine.move(to, now, reason));
  }

  use(wires: string[]): void {
    this._driver.offer(wires);
  }

  cut(): void {
    this._driver.cut();
  }

  wake(): void {
    this._driver.wake();
  }

  doubt(): void {
    this._driver.doubt();
  }

  sleep(): void {
    this._driver.freeze();
  }

  leave(isKept: boolean): void {
    if (!isKept) this.close();
  }

  retire(): void {
    this._driver.retire();
  }

  close(): void {
    this._driver.run(() => this._machine.close());
  }

  private _settle(call: number, reply: Parameters<Settle>[0]): void {
    const settle = this._calls.get(call);
    this._calls.delete(call);
    settle?.(reply);
  }
}

/** The world as wires need it. */
export function contextOf(url: string | URL, given: Partial<WireContext> = {}): WireContext {
  const world = globalThis as Partial<Window & typeof globalThis>;
  return {
    base: new URL(url, world.location?.href),
    paths: {},
    clock: systemClock,
    ...(world.fetch && { fetch: world.fetch.bind(globalThis) }),
    ...(world.WebSocket && { WebSocket: world.WebSocket }),
    ...(world.EventSource && { EventSource: world.EventSource }),
    ...(world.document && { document: world.document }),
    random: Math.random,
    ...given,
  };
}

/** The wires that are wanted and possible here. None: an error. */
export function offeredWires(wires: string | string[] = "auto", context: WireContext): string[] {
  const wanted = wires === "auto" ? ORDER.filter((each) => each !== "jsonp") : ([] as string[]).concat(wires);
  const offered = wanted.filter((each) => isPossible(each, context));
  if (!offered.length) throw new Error(`none of these wires is possible here: ${wanted}`);
  return offered;
}

function isPossible(transport: string, context: WireContext): boolean {
  if (transport === "websocket") return !!context.WebSocket;
  if (transport === "sse") return !!context.EventSource && !!context.fetch;
  if (transport === "jsonp") return !!context.document;
  if (transport === "stream") return !!context.fetch && typeof TextDecoderStream !== "undefined";
  return transport in WIRES && !!context.fetch;
}
