/**
 * Several wires that try to become one: the first one starts, the next where that fails or is slow; who brings a
 * connect result first is the wire, the others are closed. What is sent meanwhile waits for the winner.
 */

import type { Command, Reply, Wire, WireContext, WireFigures, WireListener } from "./wire.js";

export interface RaceWatcher {
  won(transport: string, seconds: number): void;
  failed(transport: string, reason: string): void;
}

export class Race implements Wire {
  private _wires: Wire[] = [];
  private _winner: Wire | undefined;
  private _waiting: Command[] = [];
  private _timer = 0;
  private _running = 0;
  private _isClosed = false;

  constructor(
    private readonly _makers: (() => Wire)[],
    private readonly _after: number,
    private readonly _context: WireContext,
    private readonly _watcher: RaceWatcher,
  ) {}

  get transport(): string {
    return (this._winner ?? this._wires[0])?.transport ?? "";
  }

  open(connect: Command, listener: WireListener): void {
    this._next(connect, listener);
  }

  private _next(connect: Command, listener: WireListener): void {
    const { clock } = this._context;
    clock.cancel(this._timer);
    const make = this._makers.shift();
    if (!make || this._isClosed || this._winner) return;
    const wire = make();
    const began = clock.now();
    this._wires.push(wire);
    this._running++;
    if (this._makers.length) this._timer = clock.after(this._after, () => this._next(connect, listener));
    wire.open(connect, {
      opened: () => undefined,
      received: (replies: Reply[]) => {
        if (!this._winner && replies.some((each) => each.connect)) this._won(wire, clock.now() - began, listener);
        if (!this._winner || this._winner === wire) listener.received(replies);
        else if (replies.some((each) => each.connect)) wire.close([]);
      },
      measured: (figures) => this._winner === wire && listener.measured?.(figures),
      lost: (code, reason) => {
        this._running--;
        if (this._winner === wire) listener.lost(code, reason);
        else if (!this._winner && !this._isClosed) {
          this._watcher.failed(wire.transport, reason);
          if (this._makers.length) this._next(connect, listener);
          else if (!this._running) listener.lost(code, reason);
        }
      },
    });
  }

  private _won(wire: Wire, seconds: number, listener: WireListener): void {
    this._winner = wire;
    this._context.clock.cancel(this._timer);
    for (const other of this._wires) {
      if (other === wire) continue;
      other.close();
      this._watcher.failed(other.transport, `no answer yet when ${wire.transport} was there`);
    }
    this._watcher.won(wire.transport, seconds);
    listener.opened();
    const waiting = this._waiting;
    this._waiting = [];
    if (waiting.length) wire.send(waiting);
  }

  send(commands: Command[]): void {
    if (this._winner) this._winner.send(commands);
    else this._waiting.push(...commands);
  }

  check(): void {
    this._winner?.check();
  }

  figures(): WireFigures {
    return (this._winner ?? this._wires[0])?.figures() ?? { roundTrip: 0, lastByteAt: 0, buffered: false, stalls: 0 };
  }

  close(bye?: Command[]): void {
    this._isClosed = true;
    this._context.clock.cancel(this._timer);
    for (const wire of this._wires) wire.close(wire === this._winner ? bye : undefined);
  }
}
