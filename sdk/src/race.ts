/**
 * Several wires that try to become one: the first one starts, the next where that fails or is slow, two at a time; who
 * brings a connect result first is the wire, the others are closed. What is sent meanwhile waits for the winner.
 *
 * What a failure is worth shows in the end: where another wire got through it is the wire's, where none did it may as
 * well be the network's, but for one that was silent for long.
 */

import type { Command, Reply, Wire, WireContext, WireFigures, WireListener } from "./wire.js";

const AT_ONCE = 2;
/** Silent for so many seconds: something holds it back. */
const SILENT = 4;
/** What it costs to have failed as all others did; to have been slower than another. */
const SHARED = 1;
const SLOW = 2;

export interface RaceWatcher {
  won(transport: string, seconds: number): void;
  failed(transport: string, reason: string, trouble?: number): void;
}

export class Race implements Wire {
  /** Those that run, and since when. */
  private readonly _running = new Map<Wire, number>();
  /** Those that have failed, and why. */
  private readonly _failed: [string, string][] = [];
  private _winner: Wire | undefined;
  private _first = "";
  private _waiting: Command[] = [];
  private _timer = 0;
  private _isClosed = false;

  constructor(
    private readonly _makers: (() => Wire)[],
    private readonly _after: number,
    private readonly _context: WireContext,
    private readonly _watcher: RaceWatcher,
  ) {}

  get transport(): string {
    return this._winner?.transport ?? this._first;
  }

  open(connect: Command, listener: WireListener): void {
    this._next(connect, listener);
  }

  private _next(connect: Command, listener: WireListener): void {
    const { clock } = this._context;
    clock.cancel(this._timer);
    if (this._isClosed || this._winner || this._running.size >= AT_ONCE) return;
    const make = this._makers.shift();
    if (!make) return;
    const wire = make();
    this._first ||= wire.transport;
    this._running.set(wire, clock.now());
    if (this._makers.length) this._timer = clock.after(this._after, () => this._next(connect, listener));
    wire.open(connect, {
      received: (replies: Reply[]) => {
        if (!this._winner && replies.some((each) => each.connect)) this._won(wire);
        if (!this._winner || this._winner === wire) listener.received(replies);
      },
      measured: (figures) => this._winner === wire && listener.measured?.(figures),
      lost: (code, reason) => {
        this._running.delete(wire);
        if (this._winner === wire) listener.lost(code, reason);
        else if (!this._winner && !this._isClosed) {
          this._failed.push([wire.transport, reason]);
          if (this._makers.length) this._next(connect, listener);
          else if (!this._running.size) {
            this._blame(SHARED);
            listener.lost(code, reason);
          }
        }
      },
    });
  }

  private _won(wire: Wire): void {
    const { clock } = this._context;
    this._winner = wire;
    clock.cancel(this._timer);
    this._blame();
    const began = this._running.get(wire)!;
    for (const other of this._running.keys()) {
      if (other === wire) continue;
      other.close();
      this._watcher.failed(other.transport, `no answer yet when ${wire.transport} was there`, SLOW);
    }
    this._watcher.won(wire.transport, clock.now() - began);
    const waiting = this._waiting;
    this._waiting = [];
    if (waiting.length) wire.send(waiting);
  }

  private _blame(trouble?: number): void {
    for (const [transport, reason] of this._failed.splice(0)) this._watcher.failed(transport, reason, trouble);
  }

  send(commands: Command[]): void {
    if (this._winner) this._winner.send(commands);
    else this._waiting.push(...commands);
  }

  check(): void {
    this._winner?.check();
  }

  figures(): WireFigures {
    return this._winner?.figures() ?? { lastByteAt: 0 };
  }

  close(bye?: Command[]): void {
    this._isClosed = true;
    const { clock } = this._context;
    clock.cancel(this._timer);
    this._blame(SHARED);
    for (const [wire, began] of this._running) {
      const isWinner = wire === this._winner;
      wire.close(isWinner ? bye : undefined);
      if (!this._winner && clock.now() - began > SILENT) this._watcher.failed(wire.transport, "no answer");
    }
  }
}
