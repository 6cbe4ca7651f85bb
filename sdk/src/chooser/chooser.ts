/**
 * Which wire to use: by what was measured, not by a fixed list.
 *
 * Every wire has a cost: its place in the order of preference, and trouble: more for failures, silence and answers that
 * took long, and much more where a proxy was seen to hold its bytes back. Half of it is forgotten in two minutes, so
 * nothing demotes for good. What worked last is remembered per origin for a week and comes first; otherwise the
 * cheapest does. From a worse wire the better one is tried again, beside it, and takes over only if that works; each
 * such try makes the next one rarer, and to go down takes more than to go up (hysteresis). All wires that are possible
 * are known here; which of them are offered, to be used, can change. It does no I/O.
 */

import type { Measured } from "../wire.js";

export const ORDER = ["websocket", "stream", "sse", "long-poll", "short-poll", "jsonp"];
const WEEK = 7 * 86_400;
/** A failure is half forgotten after so many seconds. */
const HALF_LIFE = 120;
const FIRST_PROBE = 30;
const LAST_PROBE = 600;
/** After others were offered: for those that do not come at once. */
const SOON_PROBE = 6;
/** An answer that took so many seconds is a stall. */
const STALL = 2;
/** What trouble counts for where a wire is to be tried again. */
const FORGIVEN = 1 / 8;
/** By how much a wire has to be cheaper than the one that works: a better one, and a worse one. */
const UP = 0.5;
const DOWN = 2;
const FAILED = 4;

export interface WireReport {
  transport: string;
  /** Whether it may be used. */
  allowed: boolean;
  cost: number;
  connected: number;
  failed: number;
  connectSeconds: number | undefined;
  /** Seconds, smoothed. */
  roundTrip: number | undefined;
  /** Answers that took more than 2 s. */
  stalls: number;
  /** Of the current wire: seconds since its last byte. */
  silence: number | undefined;
  buffered: boolean;
  lastFailure: string;
}

interface Seen extends WireReport {
  trouble: number;
  troubleAt: number;
}

export interface ChooserOptions {
  offered: string[];
  /** The others are known, and not used until they are offered. */
  possible?: string[];
  origin: string;
  storage?: Pick<Storage, "getItem" | "setItem"> | undefined;
  now(): number;
  wall(): number;
  random(): number;
}

export class Chooser {
  /** In words, why the last one was chosen. */
  why = "";
  private readonly _seen = new Map<string, Seen>();
  private readonly _key: string;
  private _remembered = "";
  /** The first of the race that is on. */
  private _tried = "";
  private _probe = FIRST_PROBE;
  private _offered: string[];
  /** When to ask for a better one. */
  probeAt: number;

  constructor(private readonly _options: ChooserOptions) {
    this._offered = _options.offered;
    for (const transport of _options.possible ?? _options.offered) {
      this._seen.set(transport, {
        transport,
        allowed: false,
        cost: 0,
        connected: 0,
        failed: 0,
        connectSeconds: undefined,
        roundTrip: undefined,
        stalls: 0,
        silence: undefined,
        buffered: false,
        lastFailure: "",
        trouble: 0,
        troubleAt: 0,
      });
    }
    this._key = `wirehop:wire:${_options.origin}`;
    this.probeAt = _options.now() + this._pause();
    this._remembered = this._recall();
  }

  /** From now on these. `better` says at once whether another one is due. */
  offer(transports: string[]): void {
    this._offered = transports;
    this._probe = SOON_PROBE;
    this.probeAt = this._options.now();
  }

  allows(transport: string): boolean {
    return this._offered.includes(transport);
  }

  /** Whether there is anything to choose. */
  get isFree(): boolean {
    return this._offered.length > 1;
  }

  /** What to start on, and what races with it where that fails or is slow. */
  first(): string[] {
    const known = this._remembered;
    const order = this._order();
    if (order.includes(known)) order.unshift(...order.splice(order.indexOf(known), 1));
    const best = (this._tried = order[0]!);
    this.why = best === known ? "it worked here the last time" : this._cheap(best);
    return order.slice(0, 3);
  }

  /** Seconds after which the next wire joins the first: more where that is known to take its time. */
  get raceAfter(): number {
    return Math.min(3, Math.max(1, 2 * (this._seen.get(this._tried)?.connectSeconds ?? 0)));
  }

  /** The best one besides the given (a move that nobody said where to). */
  next(after: string): string {
    const order = this._order();
    return order.find((each) => each !== after) ?? order[0]!;
  }

  connected(transport: string, seconds: number): void {
    const seen = this._seen.get(transport);
    if (!seen) return;
    seen.connected++;
    seen.connectSeconds = seconds;
    if (this._tried && this._tried !== transport) this.why = this._cheap(transport);
    this._tried = "";
    this._charge(seen, seconds > 2 ? 0.5 : -this._troubleOf(seen) / 2);
    if (!this.isFree) return; // nothing was chosen that could be remembered
    this._remembered = transport;
    try {
      this._options.storage?.setItem(this._key, JSON.stringify({ transport, until: this._options.wall() + WEEK }));
    } catch {
      // storage may be full or forbidden: then nothing is remembered
    }
  }

  failed(transport: string, reason: string, trouble = FAILED): void {
    const seen = this._seen.get(transport);
    if (!seen) return;
    seen.failed++;
    seen.lastFailure = reason;
    this._charge(seen, trouble);
    if (this._remembered === transport) this._remembered = "";
  }

  measured(transport: string, { roundTrip, buffered }: Measured): void {
    const seen = this._seen.get(transport);
    if (!seen) return;
    if (roundTrip !== undefined) {
      seen.roundTrip = seen.roundTrip === undefined ? roundTrip : 0.7 * seen.roundTrip + 0.3 * roundTrip;
      if (roundTrip <= STALL) seen.buffered = false;
      else {
        seen.stalls++;
        this._charge(seen, 1);
      }
    }
    if (buffered && !seen.buffered) {
      seen.buffered = true;
      seen.lastFailure = "something on the way holds its bytes back";
      this._charge(seen, 2 * FAILED);
      if (this._remembered === transport) this._remembered = "";
    }
  }

  /** A wire that deserves another try from the current one, now; undefined: none, or not yet. */
  better(current: string): string | undefined {
    const now = this._options.now();
    if (now < this.probeAt) return undefined;
    const cost = (each: string) => this._cost(each, FORGIVEN) + (rank(each) < rank(current) ? UP : DOWN);
    const [best] = this._offered.filter((each) => each !== current).sort((a, b) => cost(a) - cost(b));
    const isBetter = best && (cost(best) < this._cost(current) || !this.allows(current));
    if (isBetter) this._probe = Math.min(LAST_PROBE, this._probe * 2);
    else if (!best || rank(best) > rank(current)) this._probe = Math.max(FIRST_PROBE, this._probe / 2); // the best holds
    this.probeAt = now + this._pause();
    return isBetter ? best : undefined;
  }

  report(): WireReport[] {
    return [...this._seen.values()].map(({ trouble: _trouble, troubleAt: _at, ...seen }) => ({
      ...seen,
      allowed: this.allows(seen.transport),
      cost: Math.round(this._cost(seen.transport) * 100) / 100,
    }));
  }

  private _pause(): number {
    return this._probe * (0.75 + this._options.random() / 2);
  }

  private _order(): string[] {
    return [...this._offered].sort((a, b) => this._cost(a) - this._cost(b));
  }

  private _cost(transport: string, share = 1): number {
    return rank(transport) + share * this._troubleOf(this._seen.get(transport)!);
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
      (each) => rank(each.transport) < rank(best) && each.lastFailure,
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

function rank(transport: string): number {
  return ORDER.indexOf(transport);
}
