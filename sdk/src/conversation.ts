/**
 * What a client talks through: its own connection, or one that all tabs share.
 *
 * The client turns calls into commands and outputs into events; a conversation carries them and knows where they stand.
 */

import { LIMIT_EXCEEDED, OUTCOME_UNKNOWN } from "./codes.js";
import { COMMANDS } from "./machine/outgoing.js";
import type { MachineState, Output } from "./machine/outputs.js";
import type { Command, Position, Reply, ReplyError } from "./messages.js";
import type { WiresReport } from "./report.js";

export type Settle = (reply: Reply) => void;

export interface Conversation {
  readonly state: MachineState;
  /** Whether channels are wanted that are not live. */
  readonly isCatchingUp: boolean;
  readonly id: string;
  readonly transport: string;
  readonly moves: number;
  /** The session's newest. */
  readonly token: string;
  wires(): WiresReport;
  positionOf(channel: string): Position | undefined;
  positions(): Record<string, Position>;
  /** Publications that came to this page once more, and went no further. */
  duplicatesOf(channel: string): number;
  /** Before `connect`: the session to go on with. */
  restore(token: string): void;
  connect(): void;
  subscribe(channel: string, position?: Position, joinLeave?: boolean, isRestored?: boolean, isByServer?: boolean): void;
  unsubscribe(channel: string): void;
  request(command: Command, settle: Settle): void;
  answer(number: number, data: unknown, error?: ReplyError): void;
  /** The page answers calls of this method. */
  offer(method: string): void;
  move(to: string[], reason: string): void;
  /** From now on use these wires. */
  use(wires: string[]): void;
  cut(): void;
  wake(): void;
  /** The network may be gone. */
  doubt(): void;
  /** The page is put to sleep (frozen, or kept for going back); `wake` follows, perhaps. */
  sleep(): void;
  /** The page goes. `isKept`: its session is remembered for a reload. */
  leave(isKept: boolean): void;
  /** Let go of the session without ending it: somebody else goes on with it. */
  retire(): void;
  close(): void;
}

/** A conversation that is still being loaded: what is asked of it meanwhile waits. */
export class Deferred implements Conversation {
  private _there: Conversation | undefined;
  private _waiting: ((there: Conversation) => void)[] = [];
  private _isClosed = false;
  private _kept = "";
  private readonly _positions: Record<string, Position> = {};

  constructor(
    coming: Promise<Conversation>,
    private readonly _hear: (output: Output) => void,
  ) {
    void coming.then((there) => {
      this._there = there;
      const waiting = this._waiting;
      this._waiting = [];
      if (this._isClosed) there.close();
      else for (const run of waiting) run(there);
    });
  }

  get state(): MachineState {
    return this._there?.state ?? (this._isClosed ? "closed" : "opening");
  }
  get isCatchingUp(): boolean {
    return this._there?.isCatchingUp ?? false;
  }
  get id(): string {
    return this._there?.id ?? "";
  }
  get transport(): string {
    return this._there?.transport ?? "";
  }
  get moves(): number {
    return this._there?.moves ?? 0;
  }
  get token(): string {
    return this._there?.token ?? this._kept;
  }
  wires(): WiresReport {
    return this._there?.wires() ?? { current: "", why: "", wires: [], role: "follower", notShared: "" };
  }
  positionOf(channel: string): Position | undefined {
    return this._there?.positionOf(channel);
  }
  positions(): Record<string, Position> {
    return this._there?.positions() ?? this._positions;
  }
  duplicatesOf(channel: string): number {
    return this._there?.duplicatesOf(channel) ?? 0;
  }
  restore(token: string): void {
    this._kept = token;
    this._then((there) => there.restore(token));
  }
  connect(): void {
    this._then((there) => there.connect());
  }
  subscribe(...wanted: Parameters<Conversation["subscribe"]>): void {
    const [channel, position] = wanted;
    if (position) this._positions[channel] = position;
    this._then((there) => there.subscribe(...wanted));
  }
  unsubscribe(channel: string): void {
    delete this._positions[channel];
    this._then((there) => there.unsubscribe(channel));
  }
  request(command: Command, settle: Settle): void {
    if (this._isClosed) settle({ error: { code: OUTCOME_UNKNOWN, message: "the client is closed" } });
    else if (this._waiting.length >= COMMANDS) {
      settle({ error: { code: LIMIT_EXCEEDED, message: "too many requests wait" } });
    } else this._then((there) => there.request(command, settle));
  }
  answer(number: number, data: unknown, error?: ReplyError): void {
    this._there?.answer(number, data, error);
  }
  offer(method: string): void {
    this._then((there) => there.offer(method));
  }
  move(to: string[], reason: string): void {
    this._there?.move(to, reason);
  }
  use(wires: string[]): void {
    this._then((there) => there.use(wires));
  }
  cut(): void {
    this._there?.cut();
  }
  wake(): void {
    this._there?.wake();
  }
  doubt(): void {
    this._there?.doubt();
  }
  sleep(): void {
    this._there?.sleep();
  }
  leave(isKept: boolean): void {
    this._there?.leave(isKept);
  }
  retire(): void {
    this._there?.retire();
  }
  close(): void {
    if (this._there) return this._there.close();
    const waiting = this._waiting;
    this._waiting = [];
    this._isClosed = true;
    for (const run of waiting) run(this); // requests fail, the rest is void
    this._hear({ do: "state", state: "closed", code: 3000, reason: "closed by the application", delay: 0 });
  }

  private _then(run: (there: Conversation) => void): void {
    if (this._there) run(this._there);
    else if (!this._isClosed) this._waiting.push(run);
  }
}
