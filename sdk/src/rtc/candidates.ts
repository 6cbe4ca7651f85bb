/**
 * The candidates of a pair: theirs that wait for their description, and ours that may have to be said again.
 *
 * It knows generations and descriptions. It does not know which of them are stale: that is the negotiation's matter.
 */

import { isOf, standsIn, WAITING_CANDIDATES, WAITING_IN_ALL, type Candidate } from "./signals.js";

/** A candidate of peer connection `instance` that waits for the description of generation `gen`. */
interface Waiting {
  instance: string;
  gen: number;
  candidate: Candidate | null;
}

/** Candidates that have come before their description was set: 64 of one generation, 192 in all, then no more. */
export class TheirCandidates {
  private _waiting: Waiting[] = [];

  /** Let it wait. False: there are too many. */
  add(waiting: Waiting): boolean {
    const { instance, gen } = waiting;
    const same = this._waiting.filter((each) => each.instance === instance && each.gen === gen).length;
    if (same >= WAITING_CANDIDATES || this._waiting.length >= WAITING_IN_ALL) return false;
    this._waiting.push(waiting);
    return true;
  }

  /** Those of a description that is set now, in order; and how many older ones of that instance went. */
  take(instance: string, gen: number): [(Candidate | null)[], number] {
    const found = this._waiting.filter((each) => each.instance === instance && each.gen === gen);
    const kept = this._waiting.filter((each) => each.instance !== instance || each.gen > gen);
    const gone = this._waiting.length - kept.length - found.length;
    this._waiting = kept;
    return [found.map((each) => each.candidate), gone];
  }

  /** What a peer connection that is gone has said; how many. */
  forget(instance: string): number {
    const kept = this._waiting.filter((each) => each.instance !== instance);
    const gone = this._waiting.length - kept.length;
    this._waiting = kept;
    return gone;
  }
}

/**
 * Candidates of our peer connection: 64, then the oldest is forgotten.
 *
 * They are remembered because a description may take the place of one that the other side has ignored, and with it its
 * candidates. Those that stand in the new description are not said again.
 */
export class OurCandidates {
  private _known: Candidate[] = [];
  private _ended = false; // no more are coming, and that was not said yet
  private _sdp = "";

  /** The peer connection is another one. */
  clear(): void {
    this._known = [];
    this._ended = false;
    this._sdp = "";
  }

  /** It will be said with the next description if it belongs to that; how many were forgotten for it. */
  remember(candidate: Candidate | null): number {
    if (!candidate) {
      this._ended = true;
      return 0;
    }
    this._known.push(candidate);
    return this._known.splice(0, Math.max(this._known.length - WAITING_CANDIDATES, 0)).length;
  }

  /** Whether it is of the local description that was said last. */
  belongs(candidate: Candidate | null): boolean {
    return !candidate || isOf(candidate, this._sdp);
  }

  /** That there are no more was said. */
  said(): void {
    this._ended = false;
  }

  /** There is a new local description: what to say after it, and how many belonged to an older one. */
  described(sdp: string): [(Candidate | null)[], number] {
    this._sdp = sdp;
    const kept = this._known.filter((each) => isOf(each, sdp));
    const gone = this._known.length - kept.length;
    this._known = kept;
    const again: (Candidate | null)[] = kept.filter((each) => !standsIn(each, sdp));
    if (this._ended) again.push(null);
    this._ended = false;
    return [again, gone];
  }
}
