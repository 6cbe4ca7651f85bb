/**
 * How two participants agree on a connection, whoever begins: perfect negotiation, of one pair, on one side.
 *
 * The twin of `rtc/pure/negotiation.py`, where the theory and the table stand; both repeat `protocol/vectors/rtc`. Either
 * side may offer at any time. Where two offers cross, the *polite* side (whose id is the greater) gives its own up, takes
 * the other's, and offers again. Nothing is taken that is not newer, by generation, than what was heard.
 *
 * Inputs take `now`; what is to be done is drained with `take()`; `deadline()` says when to call `tick(now)`.
 */

import { OurCandidates, TheirCandidates } from "./candidates.js";
import {
  MOST_GENERATION,
  type Candidate,
  type CloseReason,
  type DropReason,
  type NegotiationOutput,
  type PairState,
  type Signal,
} from "./signals.js";

/** How long the first offer waits for its answer; each one after it waits twice as long, up to the longest. */
const ANSWER_SECONDS = 10;
const LONGEST_ANSWER_SECONDS = 160;
/** Descriptions that could not be made or set, one after the other, before the pair gives up. */
const MOST_FAILURES = 3;
/** Replaced peer connections of the other side whose late words are known as such. */
const PAST_INSTANCES = 16;

export type NegotiationState =
  | "new"
  | "stable"
  | "offering"
  | "offered"
  | "completing"
  | "taking"
  | "answering"
  | "closed";

export class Negotiation {
  state: NegotiationState = "new";
  /** Of what both agreed on last. */
  generation = 0;
  readonly dropped: Partial<Record<DropReason, number>> = {};
  private readonly _isGreater: boolean;
  private _isPeerFixed = false;
  private _mine = ""; // our peer connection
  private _theirs = ""; // the other side's, as far as is known
  private _past: string[] = [];
  private _isBound = false; // ours has taken a description of theirs
  private _number = 0;
  private _made = 0; // generation of our newest offer
  private _sent = 0; // the same, of these two peer connections
  private _heard = 0; // the newest of the other side's offers, taken or not
  private _taken = 0; // of the remote description that is set, or being set
  private _local = 0; // of the local description that was said last; 0: there is none
  private _queued: Signal | undefined;
  private _isNeeded = false;
  private _wantsRestart = false;
  private _offersRestart = false; // the offer that is under way does
  private _asked = -1; // the newest generation known when we asked for a restart; -1: we did not
  private _failures = 0;
  private _wait = ANSWER_SECONDS;
  private _due: number | undefined;
  private readonly _ours = new OurCandidates();
  private readonly _waiting = new TheirCandidates();
  private _told: [PairState, number] = ["new", 0];
  private _out: NegotiationOutput[] = [];

  /** `isFixed`: this side can neither roll back nor restart. */
  constructor(
    me: string,
    peer: string,
    private readonly _newInstance: () => string,
    readonly isFixed = false,
  ) {
    this._isGreater = me > peer;
  }

  // ---- what drives it

  take(): NegotiationOutput[] {
    const state = this._words();
    if (state !== this._told[0] || this.generation !== this._told[1]) {
      this._told = [state, this.generation];
      this._out.push({ do: "state", state, gen: this.generation });
    }
    return this._out.splice(0);
  }

  deadline(): number | undefined {
    return this._due;
  }

  /** Tracks or data channels have changed: an offer made from now on has to go out. */
  needed(now: number): void {
    if (this.state === "closed") return;
    this._isNeeded = true;
    this._goOn(now);
  }

  /** The connection is broken: find new paths. Towards a fixed side, and from one, by a new peer connection. */
  restart(now: number): void {
    if (this.state === "closed") return;
    this._wantsRestart = true;
    this._goOn(now);
  }

  /** Time has passed: what was not answered is said again. */
  tick(now: number): void {
    if (this._due === undefined || now < this._due) return;
    this._due = undefined;
    if (this.state === "offered") this._offerAgain();
    else if (this._asked >= 0) this._ask(now);
  }

  /** We leave. */
  close(): void {
    if (this.state !== "closed") this._end("closed");
  }

  // ---- what the other side says

  received(signal: Signal, now: number): void {
    if (this.state === "closed" || !signal.instance || this._past.includes(signal.instance)) return this._drop("stale");
    this._isPeerFixed ||= !!signal.fixed;
    if (signal.bye) this._left(signal);
    else if (signal.offer) this._offered(signal, now);
    else if (signal.answer) this._answered(signal, now);
    else if (signal.restart) this._wasAsked(signal, now);
    else if (signal.candidate !== undefined) this._add(signal.instance, signal.gen ?? 0, signal.candidate);
    else this._drop("bad");
  }

  private _offered(signal: Signal, now: number): void {
    const gen = signal.gen ?? 0;
    if (!this._isOfTheirs(gen)) return this._drop("bad");
    if (signal.to && signal.to !== this._mine) return this._offeredElsewhere(signal, now);
    const isAnother = this._meet(signal.instance);
    if (gen <= this._heard) return this._drop("stale");
    this._heard = gen;
    if (this._isAtRest()) {
      this._take(signal);
    } else if (this.state !== "offering" && this.state !== "offered") {
      if (this._queued) this._drop("stale");
      this._queued = signal;
    } else if (this._isPolite()) {
      this._giveWay(signal, now);
    } else {
      this._drop("ignored");
      if (isAnother && !signal.to && this._is("offered")) this._offerAgain(); // it went to the one before
    }
  }

  /** The offer goes on with a peer connection of ours that is gone: the other side has to begin anew. */
  private _offeredElsewhere(signal: Signal, now: number): void {
    this._drop("stale");
    this._meet(signal.instance);
    if (this._isAtRest() && this._asked < 0) this._ask(now);
  }

  private _giveWay(signal: Signal, now: number): void {
    this._giveUpOffer();
    this.state = "stable";
    if (!this.isFixed) return this._take(signal);
    this._open();
    if (signal.to) this._ask(now); // made for what we have just dropped
    else this._take(signal);
  }

  private _answered(signal: Signal, now: number): void {
    const isOther = this._isBound && signal.instance !== this._theirs;
    const isOfMine = signal.of === this._mine;
    if (this.state === "offered" && (signal.gen ?? 0) === this._made && isOfMine && !isOther) {
      this._meet(signal.instance);
      this._isBound = true;
      this._taken = this._made;
      this._due = undefined;
      this.state = "completing";
      this._out.push({ do: "apply", number: this._nextNumber(), type: "answer", sdp: signal.answer! });
      return;
    }
    this._drop("stale");
    if (isOther && isOfMine) {
      // it has taken an offer that we gave up for one of its predecessor
      this._meet(signal.instance);
      this._isNeeded = true;
      this._goOn(now);
    }
  }

  private _wasAsked(signal: Signal, now: number): void {
    const isAnother = this._meet(signal.instance);
    if (this._isBound && ((signal.gen ?? 0) < Math.max(this._sent, this._heard) || this._offersRestart)) {
      this._drop("stale"); // a newer offer is on its way, or was agreed on
    } else if (this._isBound) {
      this._wantsRestart = true;
      this._goOn(now);
    } else if (this.state === "offered" && isAnother) {
      this._offerAgain();
    } else if (this._isAtRest()) {
      this._isNeeded = true;
      this._goOn(now);
    } else {
      this._drop("stale"); // our offer is under way
    }
  }

  private _left(signal: Signal): void {
    this._pastIs(signal.instance);
    if (signal.instance !== this._theirs) return;
    this._theirs = "";
    this._heard = 0;
    if (this._mine) this._out.push({ do: "close", reason: "bye" });
    this._clear();
    this._isNeeded = this._wantsRestart = this._offersRestart = false;
    this._mine = "";
    this._wait = ANSWER_SECONDS;
    this._failures = 0;
    this.state = "new";
  }

  private _add(instance: string, gen: number, candidate: Candidate | null): void {
    const isTheirs = instance === this._theirs;
    const isTaken = isTheirs && this._isBound && gen === this._taken;
    if (isTaken && this.state !== "taking" && this.state !== "completing") {
      this._out.push({ do: "add_candidate", candidate });
    } else if (!isTaken && !this._mayCome(gen, isTheirs)) {
      this._drop(isTheirs && gen === this._heard ? "ignored" : "stale");
    } else if (!this._waiting.add({ instance, gen, candidate })) {
      this._drop("full");
    }
  }

  /** Whether a description of that generation may still be taken. */
  private _mayCome(gen: number, isTheirs: boolean): boolean {
    if (this._queued && isTheirs && gen === this._queued.gen) return true;
    if (this._isOfTheirs(gen)) return gen > this._heard || !isTheirs;
    return this.state === "offered" && gen === this._made;
  }

  // ---- what was done

  /** The offer or answer that was asked for with `number` is the local description now. */
  described(number: number, sdp: string, now: number): void {
    if (number !== this._number || (this.state !== "offering" && this.state !== "answering")) return;
    if (this.state === "offering") {
      this._made = this._sent = this._local = this._nextGeneration();
      this._due = now + this._wait;
      this._wait = Math.min(2 * this._wait, LONGEST_ANSWER_SECONDS);
      this.state = "offered";
      const to = this._isBound && this._theirs;
      this._send({ instance: this._mine, gen: this._made, offer: sdp, ...(to && { to }) });
      this._sayCandidates(sdp);
    } else {
      this._local = this._taken;
      this._send({ instance: this._mine, gen: this._taken, answer: sdp, of: this._theirs });
      this._sayCandidates(sdp);
      this._agreed(now);
    }
  }

  /** The remote description is set. */
  applied(number: number, now: number): void {
    if (number !== this._number || (this.state !== "taking" && this.state !== "completing")) return;
    const [found, gone] = this._waiting.take(this._theirs, this._taken);
    this._drop("stale", gone);
    for (const candidate of found) this._out.push({ do: "add_candidate", candidate });
    if (this.state === "taking") {
      this.state = "answering";
      this._out.push({ do: "make_answer", number: this._nextNumber() });
    } else {
      this._offersRestart = false;
      this._agreed(now);
    }
  }

  /**
   * What was asked for with `number` cannot be done: a new peer connection, and an offer of ours; the third time in a row
   * the pair is given up.
   */
  failed(number: number, now: number): void {
    if (number !== this._number || this._isAtRest() || this.state === "closed" || this.state === "offered") return;
    if (++this._failures >= MOST_FAILURES) return this._end("failed");
    if (this.state === "offering" || this.state === "completing") this._giveUpOffer();
    const queued = this._queued;
    this._open();
    this.state = "stable";
    this._isNeeded = true;
    if (queued && !queued.to) this._queued = queued;
    this._goOn(now);
  }

  /** Our peer connection has found a candidate, of its newest local description; null: there are no more. */
  candidate(candidate: Candidate | null): void {
    if (this.state === "closed" || !this._mine) return;
    const isMaking = this.state === "offering" || this.state === "answering";
    if (!candidate && !this._local && !isMaking) return this._drop("foreign"); // of an offer that was given up
    this._drop("full", this._ours.remember(candidate));
    if (isMaking || !this._local || !this._ours.belongs(candidate)) return; // it goes with the next description, if it is of that
    this._ours.said();
    this._send({ instance: this._mine, gen: this._local, candidate });
  }

  // ---- inside

  private _words(): PairState {
    if (this.state === "new" || this.state === "closed") return this.state;
    return this.state === "stable" && this._isBound ? "stable" : "negotiating";
  }

  private _isAtRest(): boolean {
    return this.state === "new" || this.state === "stable";
  }

  /** For the state that a call has changed. */
  private _is(state: NegotiationState): boolean {
    return this.state === state;
  }

  private _isPolite(): boolean {
    return this.isFixed === this._isPeerFixed ? this._isGreater : this._isPeerFixed;
  }

  private _isOfTheirs(gen: number): boolean {
    return gen > 0 && gen <= MOST_GENERATION && gen % 2 === (this._isGreater ? 1 : 0);
  }

  private _known(): number {
    return Math.max(this._made, this._heard);
  }

  private _nextGeneration(): number {
    const after = Math.max(this._known(), this.generation) + 1;
    return this._isOfTheirs(after) ? after + 1 : after;
  }

  private _nextNumber(): number {
    return ++this._number;
  }

  /** At rest, do what is still to be done. */
  private _goOn(now: number): void {
    if (!this._isAtRest()) return;
    const queued = this._queued;
    this._queued = undefined;
    if (queued) {
      this._take(queued);
    } else if (this._wantsRestart && this._isBound && this._isPeerFixed && !this.isFixed) {
      if (this._asked < this._known()) this._ask(now);
    } else if (this._isNeeded || this._wantsRestart) {
      this._offer();
    }
  }

  private _offer(): void {
    if (this.state === "new" || (this.isFixed && this._wantsRestart && this._isBound)) this._open();
    this._offersRestart = this._wantsRestart && this._isBound;
    this._isNeeded = this._wantsRestart = false;
    this._due = undefined;
    this._asked = -1;
    this.state = "offering";
    this._out.push({ do: "make_offer", number: this._nextNumber(), restart: this._offersRestart });
  }

  private _offerAgain(): void {
    this._giveUpOffer();
    this._offer();
  }

  /** What it was for is still needed. */
  private _giveUpOffer(): void {
    this._isNeeded = true;
    this._wantsRestart ||= this._offersRestart;
    this._offersRestart = false;
    this._local = 0;
    this._due = undefined;
    this._number++;
  }

  private _take(signal: Signal): void {
    if (this.state === "new") this._open();
    this._isBound = true;
    this._taken = signal.gen!;
    this._due = undefined;
    this._asked = -1;
    this.state = "taking";
    this._out.push({ do: "apply", number: this._nextNumber(), type: "offer", sdp: signal.offer! });
  }

  private _agreed(now: number): void {
    this.generation = this._taken;
    this._wait = ANSWER_SECONDS;
    this._failures = 0;
    this.state = "stable";
    this._goOn(now);
  }

  /** Ask the other side for a restart, with what is the newest generation to us. */
  private _ask(now: number): void {
    if (this.state === "new") {
      this._open();
      this.state = "stable";
    }
    this._asked = this._known();
    this._due = now + this._wait;
    this._wait = Math.min(2 * this._wait, LONGEST_ANSWER_SECONDS);
    this._send({ instance: this._mine, ...(this._asked && { gen: this._asked }), restart: true });
  }

  /** The other side's peer connection is this one; whether it takes the place of another. */
  private _meet(instance: string): boolean {
    if (instance === this._theirs) return false;
    const before = this._theirs;
    this._theirs = instance;
    this._heard = this._sent = 0;
    if (before) this._pastIs(before);
    if (this._isBound) {
      if (this.state === "offering" || this.state === "offered" || this.state === "completing") this._giveUpOffer();
      this._open();
      this.state = "stable";
    }
    return !!before;
  }

  private _pastIs(instance: string): void {
    this._past = [...this._past, instance].slice(-PAST_INSTANCES);
    this._drop("stale", this._waiting.forget(instance));
  }

  private _open(): void {
    this._clear();
    this._mine = this._newInstance();
    this._wantsRestart = this._offersRestart = false; // by this it is done
    this._out.push({ do: "open", instance: this._mine });
  }

  /** What belongs to our peer connection goes with it. */
  private _clear(): void {
    this._ours.clear();
    this._queued = this._due = undefined;
    this._asked = -1;
    this._isBound = false;
    this._taken = this._local = this._sent = 0;
    this._number++;
  }

  private _end(reason: CloseReason): void {
    if (this._mine) {
      this._send({ instance: this._mine, bye: true });
      this._out.push({ do: "close", reason });
    }
    this._clear();
    this.state = "closed";
  }

  private _send(signal: Signal): void {
    this._out.push({ do: "send", signal: this.isFixed ? { ...signal, fixed: true } : signal });
  }

  private _sayCandidates(sdp: string): void {
    const [again, gone] = this._ours.described(sdp);
    this._drop("foreign", gone);
    for (const candidate of again) this._send({ instance: this._mine, gen: this._local, candidate });
  }

  private _drop(reason: DropReason, count = 1): void {
    if (count) this.dropped[reason] = (this.dropped[reason] ?? 0) + count;
  }
}
