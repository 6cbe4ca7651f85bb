/**
 * Drives the machine in a browser: lends it wires, keeps its time, and tells it what the page goes through.
 *
 * Change once, drain fully, then wait: `run` is the one place that calls `take`.
 */

import type { Chooser } from "./chooser/chooser.js";
import { NO_PONG } from "./codes.js";
import type { Machine } from "./machine/machine.js";
import type { Output } from "./machine/outputs.js";
import type { Command, Reply, Wire, WireContext, WireFigures } from "./wire.js";
import { Race } from "./race.js";

/** After a thaw, for a sign of life. */
const CHECK_SECONDS = 5;

interface Wired {
  wire: Wire;
  isOpen: boolean;
  /** Since when the confirming ping is out. */
  pingedAt: number;
  bye: Command[] | undefined;
}

export class Driver {
  moves = 0;
  failedMoves = 0;
  private readonly _wires = new Map<number, Wired>();
  private _timer = 0;
  private _isRunning = false;
  private _lastClosed = "";

  constructor(
    readonly machine: Machine,
    readonly chooser: Chooser,
    private readonly _context: WireContext,
    private readonly _make: (transport: string) => Wire,
    private readonly _heard: (output: Output) => void,
    private readonly _token: (() => Promise<string>) | undefined,
  ) {}

  /** The transport of the current wire; empty for none. */
  get transport(): string {
    return this._wires.get(this.machine.wire)?.wire.transport ?? "";
  }

  /** Feed the machine, carry out what comes of it, and arm the next deadline. */
  run(input?: (now: number) => void): void {
    input?.(this._context.clock.now());
    if (this._isRunning) return;
    this._isRunning = true;
    try {
      for (let outputs = this.machine.take(); outputs.length; outputs = this.machine.take()) {
        for (const output of outputs) this._carryOut(output);
      }
    } finally {
      this._isRunning = false;
    }
    this._arm();
  }

  private _arm(): void {
    const { clock } = this._context;
    clock.cancel(this._timer);
    const deadline = this.machine.deadline();
    if (deadline === undefined) return;
    this._timer = clock.after(Math.max(0, deadline - clock.now()), () => {
      this.run((now) => this.machine.tick(Math.max(now, deadline)));
      this._climb();
    });
  }

  private _carryOut(output: Output): void {
    switch (output.do) {
      case "open":
        void this._open(output.wire, output.to, output.move);
        return;
      case "transmit":
        this._transmit(output.wire, output.commands);
        return;
      case "pong":
        this._wires.get(output.wire)?.wire.send([{}]);
        return;
      case "close":
        this._close(output.wire, output.bye);
        return;
      case "moved":
        if (output.resumed) this.moves++;
        break;
      case "trial_failed":
        this.failedMoves++;
        break;
      case "refresh_wanted":
        void this._refresh();
        return;
      case "state":
        if (output.code === NO_PONG && this._lastClosed) this.chooser.failed(this._lastClosed, output.reason);
        break;
    }
    this._heard(output);
  }

  private async _open(number: number, to: string[], isMove: boolean): Promise<void> {
    if (this._token) {
      try {
        this.machine.useToken(await this._token());
      } catch (error) {
        this.run((now) => this.machine.lost(number, 0, `no token: ${error}`, now));
        return;
      }
    }
    const offered = this.chooser.report().map((each) => each.transport);
    const wished = to.filter((each) => offered.includes(each));
    const current = this.transport;
    if (wished.length) this.chooser.why = "it was asked for";
    const names = wished.length ? wished.slice(0, 1) : isMove ? [this.chooser.next(current)] : this.chooser.first();
    const race = new Race(
      names.map((name) => () => this._make(name)),
      this.chooser.raceAfter,
      this._context,
      {
        won: (transport, seconds) => this.chooser.connected(transport, seconds),
        failed: (transport, reason) => this.chooser.failed(transport, reason),
      },
    );
    this._wires.set(number, { wire: race, isOpen: false, pingedAt: 0, bye: undefined });
    this.run((now) => this.machine.opened(number, now));
  }

  private _transmit(number: number, commands: Command[]): void {
    const wired = this._wires.get(number);
    if (!wired) return;
    if (commands[0]?.wh?.attach) wired.pingedAt = this._context.clock.now();
    if (commands[0]?.wh?.bye) {
      wired.bye = commands; // it goes with the close
    } else if (wired.isOpen) {
      wired.wire.send(commands);
    } else {
      wired.isOpen = true;
      const [connect, ...rest] = commands;
      wired.wire.open(connect!, {
        opened: () => undefined,
        received: (replies) => this._received(number, replies),
        measured: (figures) => this._measured(number, figures),
        lost: (code, reason) => {
          this._wires.delete(number);
          this.run((now) => this.machine.lost(number, code, reason, now));
        },
      });
      if (rest.length) wired.wire.send(rest);
    }
  }

  private _received(number: number, replies: Reply[]): void {
    const wired = this._wires.get(number);
    for (const reply of replies) {
      if (!this._wires.has(number)) return;
      if (wired?.pingedAt && reply.ping && reply.id) {
        const roundTrip = this._context.clock.now() - wired.pingedAt;
        wired.pingedAt = 0;
        this.chooser.measured(wired.wire.transport, { roundTrip });
      }
      this.run((now) => this.machine.received(number, reply, now));
    }
  }

  /** What is held back on the way is left for another wire, beside it. */
  private _measured(number: number, figures: Partial<WireFigures>): void {
    const wired = this._wires.get(number);
    if (!wired) return;
    this.chooser.measured(wired.wire.transport, figures);
    if (!figures.buffered || number !== this.machine.wire) return;
    const next = this.chooser.next(wired.wire.transport);
    if (next !== wired.wire.transport) this.run((now) => this.machine.move([next], now, "bytes are held back"));
  }

  private _close(number: number, isBye: boolean): void {
    const wired = this._wires.get(number);
    this._wires.delete(number);
    if (!wired) return;
    this._lastClosed = wired.wire.transport;
    wired.wire.close(isBye ? (wired.bye ?? []) : undefined);
  }

  private async _refresh(): Promise<void> {
    if (!this._token) return;
    try {
      const token = await this._token();
      this.run(() => this.machine.refreshed(token));
    } catch {
      // the server says what it makes of it
    }
  }

  /** Try the better wire again, now and then. */
  private _climb(): void {
    const current = this.transport;
    const better = current && this.chooser.better(current);
    if (better) this.run((now) => this.machine.move([better], now, "a better wire"));
  }

  /** The network is back, or the page is: connect at once, or see whether the wire still lives. */
  wake(): void {
    const wired = this._wires.get(this.machine.wire);
    wired?.wire.check();
    this.run((now) => (wired ? this.machine.suspect(now, CHECK_SECONDS) : this.machine.hurry(now)));
    this.run((now) => this.machine.tick(now));
  }

  /** The page goes into the back-forward cache: browsers allow no open wire there. */
  freeze(): void {
    const number = this.machine.wire;
    if (!number) return;
    this._close(number, false);
    this.run((now) => this.machine.lost(number, 0, "the page is kept for later", now));
  }

  /** Break the current wire without a word (for demonstrations and tests). */
  cut(): void {
    this.freeze();
  }
}
