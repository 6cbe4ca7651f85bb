/**
 * Which wire to use: by what was measured, not by a fixed list.
 *
 * Every wire has a cost: its place in the order of preference, more for failures (which are forgotten with time), for
 * silence, and much more where a proxy was seen to hold its bytes back. The cheapest is taken; what worked is remembered
 * per origin for a week. A slow first reply costs a little and is forgotten with the next quick one. From a worse wire
 * the better one is tried again, at growing intervals, and a move back happens only after that trial (hysteresis).
 * It does no I/O.
 */

import type { WireFigures } from "../wire.js";

export const ORDER = ["websocket", "stream", "sse", "long-poll", "short-poll", "jsonp"];
const WEEK = 7 * 86_400;
/** A failure is half forgotten after so many seconds. */
const HALF_LIFE = 120;
const FIRST_PROBE = 30;
const LAST_PROBE = 600;

export interface WireReport {
  transport: string;
  cost: number;
  connected: number;
  failed: number;
  connectSeconds: number | undefined;
  roundTrip: number | undefined;
  buffered: boolean;
  lastFailure: string;
}

interface Seen extends WireReport {
  trouble: number;
  troubleAt: number;
}

export interface ChooserOptions {
  offered: string[];
  origin: string;
  storage?: Pick<Storage, "getItem" | "setItem"> | undefined;
  now(): number;
  wall(): number;
  random(): number;
}

export class Chooser {
  /** In words, why the last one was chosen. */
  why = "";
  /** Seconds after which a race starts its second wire. */
  readonly raceAfter = 1;
  private readonly _seen = new Map<string, Seen>();
  private readonly _key: string;
  private _remembered = "";
  /** The first of the race that is on. */
  private _tried = "";
  private _probe = FIRST_PROBE;
  private _probeAt: number;

  constructor(private readonly _options: ChooserOptions) {
    for (const transport of _options.offered) {
      this._seen.set(transport, {
        transport,
        cost: 0,
        connected: 0,
        failed: 0,
        connectSeconds: undefined,
        roundTrip: undefined,
        buffered: false,
        lastFailure: "",
        trouble: 0,
        troubleAt: 0,
      });
    }
    this._key = `wirehop:wire:${_options.origin}`;
    this._probeAt = _options.now() + this._pause();
    this._remembered = this._recall();
  }

  /** What to start on: the best, and the next best to race with it. */
  first(): string[] {
    const order = this._order();
    const best = (this._tried = order[0]!);
    this.why = best === this._remembered ? "it worked here the last time" : this._cheap(best);
    return order.slice(0, 2);
  }

  /** The best one besides the given (a move that nobody said where to). */
  next(after: string): string {
    const found = this._order().find((each) => each !== after) ?? after;
    this.why = `another one than ${after}`;
    return found;
  }

  connected(transport: string, seconds: number): void {
    const seen = this._seen.get(transport);
    if (!seen) return;
    seen.connected++;
    seen.connectSeconds = seconds;
    if (this._tried && this._tried !== transport) this.why = this._cheap(transport);
    this._tried = "";
    this._charge(seen, seconds > 2 ? 0.5 : -this._troubleOf(seen) / 2);
    this._remembered = transport;
    try {
      this._options.storage?.setItem(this._key, JSON.stringify({ transport, until: this._options.wall() + WEEK }));
    } catch {
      // storage may be full or forbidden: then nothing is remembered
    }
  }

  failed(transport: string, reason: string): void {
    const seen = this._seen.get(transport);
    if (!seen) return;
    seen.failed++;
    seen.lastFailure = reason;
    this._charge(seen, 4);
    if (this._remembered === transport) this._remembered = "";
  }

  measured(transport: string, figures: Partial<WireFigures>): void {
    const seen = this._seen.get(transport);
    if (!seen) return;
    if (figures.roundTrip) seen.roundTrip = figures.roundTrip;
    if (figures.buffered && !seen.buffered) {
      seen.buffered = true;
      seen.lastFailure = "something on the way holds its bytes back";
    }
  }

  /** A wire that deserves another try from the current one, now; undefined: none, or not yet. */
  better(current: string): string | undefined {
    const now = this._options.now();
    if (now < this._probeAt) return undefined;
    this._probe = Math.min(LAST_PROBE, this._probe * 2);
    this._probeAt = now + this._pause();
    const best = this._order()[0]!;
    if (best === current || this._cost(best) + 0.5 >= this._cost(current)) return undefined;
    this.why = `better than ${current}`;
    return best;
  }

  report(): WireReport[] {
    return [...this._seen.values()].map(({ trouble: _trouble, troubleAt: _at, ...seen }) => ({
      ...seen,
      cost: Math.round(this._cost(seen.transport) * 100) / 100,
    }));
  }

  private _pause(): number {
    return this._probe * (0.75 + this._options.random() / 2);
  }

  private _order(): string[] {
    return [...this._seen.keys()].sort((a, b) => this._cost(a) - this._cost(b));
  }

  private _cost(transport: string): number {
    const seen = this._seen.get(transport)!;
    const rank = ORDER.indexOf(transport);
    return rank + this._troubleOf(seen) + (seen.buffered ? 10 : 0) - (transport === this._remembered ? 1.5 : 0);
  }

  private _troubleOf(seen: Seen): number {
    return seen.trouble * 0.5 ** ((this._options.now() - seen.troubleAt) / HALF_LIFE);
  }

  private _charge(seen: Seen, more: number): void {
    seen.trouble = Math.max(0, Math.min(12, this._troubleOf(seen) + more));
    seen.troubleAt = this._options.now();
  }

  private _cheap(best: string): string {
    const worse = [...this._seen.values()].filter(
      (each) => ORDER.indexOf(each.transport) < ORDER.indexOf(best) && (each.lastFailure || each.failed),
    );
    const said = worse.map((each) => `${each.transport}: ${each.lastFailure}`).join("; ");
    return said || "it comes first";
  }

  private _recall(): string {
    try {
      const { transport, until } = JSON.parse(this._options.storage?.getItem(this._key) ?? "{}") as {
        transport?: string;
        until?: number;
      };
      return transport && this._seen.has(transport) && (until ?? 0) > this._options.wall() ? transport : "";
    } catch {
      return "";
    }
  }
}
