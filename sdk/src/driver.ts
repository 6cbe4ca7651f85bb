/**
 * Drives the machine in a browser: lends it wires, keeps its time, and tells it what the page goes through.
 *
 * Change once, drain fully, then wait: `run` is the one place that calls `take`.
 */

import type { Chooser, WireReport } from "./chooser/chooser.js";
import type { Machine } from "./machine/machine.js";
import type { Output } from "./machine/outputs.js";
import { FIRST_UNNUMBERED_ID } from "./messages.js";
import type { Command, Measured, Reply, Wire, WireContext } from "./wire.js";
import { Race } from "./race.js";

/** After a thaw, for a sign of life. A timer this late says that the page was asleep. */
const CHECK_SECONDS = 5;
/** After so many silent heartbeats another wire is opened beside this one; after 1.5 it is lost. */
const SILENCE = 1.2;
/** Between two pings that are timed: where commands go anyway, and with the server's heartbeat. */
const TIMED = 2;
const TIMED_ALONE = 60;
/** A wire that broke sooner than this is in trouble, and not just the network. */
const STABLE = 10;
const BROKE = 2;
/** RFC 6455 section 7.4.1: no close frame came. */
const ABNORMAL = 1006;

interface Wired {
  wire: Wire;
  /** The id of the ping that is timed; 0 for none. */
  ping: number;
  pingedAt: number;
  /** 0: not yet. */
  openedAt: number;
  /** It was silent, and another one was opened beside it. */
  isDoubted?: boolean;
  bye?: Command[];
}

export class Driver {
  moves = 0;
  failedMoves = 0;
  private readonly _wires = new Map<number, Wired>();
  private _timer = 0;
  private _isRunning = false;
  private _isRetired = false;

  constructor(
    readonly machine: Machine,
    readonly chooser: Chooser,
    private readonly _context: WireContext,
    private readonly _make: (transport: string) => Wire,
    private readonly _heard: (output: Output) => void,
    private readonly _token: (() => Promise<string>) | undefined,
    private readonly _drained: () => void = () => undefined,
  ) {}

  /** The transport of the current wire; empty for none. */
  get transport(): string {
    return this._wires.get(this.machine.wire)?.wire.transport ?? "";
  }

  /** Feed the machine, carry out what comes of it, and arm the next deadline. */
  run(input?: (now: number) => void): void {
    input?.(this._context.clock.now());
    if (this._isRunning || this._isRetired) return;
    this._isRunning = true;
    try {
      for (let outputs = this.machine.take(); outputs.length; outputs = this.machine.take()) {
        for (const output of outputs) if (!this._isRetired) this._carryOut(output);
      }
    } finally {
      this._isRunning = false;
    }
    this._arm();
    this._drained();
  }

  private _arm(): void {
    const { clock } = this._context;
    clock.cancel(this._timer);
    if (this._isRetired) return;
    const { machine, chooser } = this;
    const at = Math.min(machine.deadline() ?? Infinity, this._doubtAt(), machine.wire ? chooser.probeAt : Infinity);
    if (at === Infinity) return;
    const due = Math.max(at, clock.now());
    this._timer = clock.after(due - clock.now(), () => {
      const now = Math.max(due, clock.now());
      if (now - due > CHECK_SECONDS) this.wake();
      else {
        this._look(now);
        this.run(() => this.machine.tick(now));
      }
    });
  }

  /** When silence makes the current wire doubtful. */
  private _doubtAt(): number {
    const wired = this._wires.get(this.machine.wire);
    const heartbeat = this.machine.result?.ping;
    if (!wired || !heartbeat || wired.isDoubted) return Infinity;
    return wired.wire.figures().lastByteAt + SILENCE * heartbeat;
  }

  /** Whether to go on over another wire: this one is silent, or a better one may work again. */
  private _look(now: number): void {
    const wired = this._wires.get(this.machine.wire);
    if (!wired) return;
    const { transport } = wired.wire;
    if (now >= this._doubtAt()) {
      wired.isDoubted = true;
      this.chooser.failed(transport, "nothing came for 1.2 heartbeats");
      this._go(this.chooser.next(transport), `${transport} was silent`);
      return;
    }
    const better = this.chooser.better(transport);
    if (better) this._go(better);
  }

  private _go(to: string, reason = this.chooser.isFree ? `better than ${this.transport}` : "it was asked for"): void {
    this.run((now) => this.machine.move([to], now, reason));
  }

  private _carryOut(output: Output): void {
    switch (output.do) {
      case "open":
        void this._open(output.wire, output.to, output.move ? output.reason : "");
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
        if (!this.chooser.allows(this.transport)) this._go(this.chooser.next(this.transport));
        break;
      case "trial_failed":
        this.failedMoves++;
        break;
      case "refresh_wanted":
        void this._refresh();
        return;
    }
    this._heard(output);
  }

  private async _open(number: number, to: string[], why: string): Promise<void> {
    const wished = to.filter((each) => this.chooser.allows(each));
    const current = this.transport;
    const names = wished.length ? wished.slice(0, 1) : why ? [this.chooser.next(current)] : this.chooser.first();
    const race = new Race(
      names.map((name) => () => this._make(name)),
      this.chooser.raceAfter,
      this._context,
      {
        won: (transport, seconds) => {
          if (why) this.chooser.why = why;
          this.chooser.connected(transport, seconds);
        },
        failed: (transport, reason, trouble) => this.chooser.failed(transport, reason, trouble),
      },
    );
    const wired: Wired = { wire: race, ping: 0, pingedAt: 0, openedAt: 0 };
    this._wires.set(number, wired);
    if (this._token) {
      try {
        this.machine.useToken(await this._token());
      } catch (error) {
        this._wires.delete(number);
        this.run((now) => this.machine.lost(number, 0, `no token: ${error}`, now));
        return;
      }
      if (this._wires.get(number) !== wired) return; // it is not wanted any more
    }
    this.run((now) => this.machine.opened(number, now));
  }

  private _transmit(number: number, commands: Command[]): void {
    const wired = this._wires.get(number);
    if (!wired) return;
    if (commands[0]?.wh?.bye) {
      wired.bye = commands; // it goes with the close
    } else if (wired.openedAt) {
      wired.wire.send(this._timed(wired, commands, TIMED));
    } else {
      wired.openedAt = this._context.clock.now();
      const [connect, ...rest] = commands;
      wired.wire.open(connect!, {
        received: (replies) => this._received(number, replies),
        measured: (found) => this._measured(number, found),
        lost: (code, reason) => this._lost(number, code, reason),
      });
      if (rest.length) wired.wire.send(rest);
    }
  }

  /** With a ping among them, where none was timed for so long. */
  private _timed(wired: Wired, commands: Command[], seconds: number): Command[] {
    const now = this._context.clock.now();
    let ping = commands.find((each) => each.ping && each.id! > FIRST_UNNUMBERED_ID);
    if (wired.ping) return commands; // one is out already
    if (!ping && now - wired.pingedAt > seconds) {
      ping = { id: this.machine.outgoing.unnumbered(), ping: {} };
      commands = [...commands, ping];
    }
    if (ping) {
      wired.ping = ping.id!;
      wired.pingedAt = now;
    }
    return commands;
  }

  private _received(number: number, replies: Reply[]): void {
    for (const reply of replies) {
      const wired = this._wires.get(number);
      if (!wired) return;
      wired.isDoubted = false;
      if (wired.ping && reply.id === wired.ping) {
        wired.ping = 0;
        this.chooser.measured(wired.wire.transport, { roundTrip: this._context.clock.now() - wired.pingedAt });
      }
      this.run((now) => this.machine.received(number, reply, now));
      if (reply.id || reply.push || reply.error || number !== this.machine.wire) continue;
      const timed = this._timed(wired, [], TIMED_ALONE); // a heartbeat
      if (timed.length) wired.wire.send(timed);
    }
  }

  private _lost(number: number, code: number, reason: string): void {
    const wired = this._wires.get(number);
    this._wires.delete(number);
    const isShort = wired && this._context.clock.now() - wired.openedAt < STABLE;
    if (isShort && number === this.machine.wire && (!code || code === ABNORMAL)) {
      this.chooser.failed(wired.wire.transport, reason, BROKE);
    }
    this.run((now) => this.machine.lost(number, code, reason, now));
  }

  /** What is held back on the way is left for another wire, beside it. */
  private _measured(number: number, found: Measured): void {
    const wired = this._wires.get(number);
    if (!wired) return;
    const { transport } = wired.wire;
    this.chooser.measured(transport, found);
    if (!found.buffered || number !== this.machine.wire) return;
    const next = this.chooser.next(transport);
    if (next !== transport) this._go(next, `${transport} was held back`);
  }

  private _close(number: number, isBye: boolean): void {
    const wired = this._wires.get(number);
    this._wires.delete(number);
    wired?.wire.close(isBye ? (wired.bye ?? []) : undefined);
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

  /** Other wires are to be used from now on. */
  offer(transports: string[]): void {
    this.chooser.offer(transports);
    this._look(this._context.clock.now());
    this._arm();
  }

  /** What was measured of each kind of wire. */
  report(): WireReport[] {
    const wired = this._wires.get(this.machine.wire);
    return this.chooser.report().map((each) => {
      if (each.transport !== wired?.wire.transport) return each;
      return { ...each, silence: this._context.clock.now() - wired.wire.figures().lastByteAt };
    });
  }

  /** The network is back, or the page is: connect at once, or see whether the wire still lives. */
  wake(): void {
    this.doubt();
    this.run((now) => this.machine.hurry(now));
    this.run((now) => this.machine.tick(now));
  }

  /** The network may be gone: see whether the wire still lives. */
  doubt(): void {
    const wired = this._wires.get(this.machine.wire);
    if (!wired) return;
    wired.isDoubted = true;
    wired.wire.check();
    this.run((now) => this.machine.suspect(now, CHECK_SECONDS));
  }

  /** The page goes into the back-forward cache: browsers allow no open wire there. */
  freeze(): void {
    for (const number of [...this._wires.keys()].reverse()) this._drop(number, "the page is kept for later");
  }

  /** Close all wires without ending the session, and do nothing any more. */
  retire(): void {
    this._isRetired = true;
    this._context.clock.cancel(this._timer);
    for (const number of [...this._wires.keys()]) this._close(number, false);
  }

  /** Break the current wire without a word (for demonstrations and tests). */
  cut(): void {
    this._drop(this.machine.wire, "cut");
  }

  private _drop(number: number, reason: string): void {
    if (!this._wires.has(number)) return;
    this._close(number, false);
    this.run((now) => this.machine.lost(number, 0, reason, now));
  }
}
