/**
 * What two participants say to each other about their connection, and what a negotiation wants done.
 *
 * A `Signal` travels as JSON inside of `rtc.signal`; docs/rtc.md describes it. It knows no room and no server.
 */

/** A generation above it is no generation. */
export const MOST_GENERATION = 2 ** 31;
/** Candidates of one generation that wait for their description, and local ones that are remembered, at most. */
export const WAITING_CANDIDATES = 64;
/** Candidates that wait at a time, of all generations. */
export const WAITING_IN_ALL = 192;

/** An ICE candidate, as `RTCIceCandidate.toJSON()` has it. */
export interface Candidate {
  candidate: string;
  sdpMid?: string | null;
  sdpMLineIndex?: number | null;
  usernameFragment?: string | null;
}

/**
 * One of: an offer, an answer, a candidate (null: there are no more), a wish for a restart, a goodbye.
 *
 * `instance` is the sender's peer connection. `gen` is the generation of the offer or answer, or the one that a candidate
 * belongs to, or the newest that who asks for a restart knows. `of`, of an answer: the peer connection that offered. `to`,
 * of an offer: the peer connection that it goes on with; none if it goes with any that is fresh. `fixed`: the sender can
 * neither roll back nor restart.
 */
export interface Signal {
  instance: string;
  gen?: number;
  offer?: string;
  answer?: string;
  of?: string;
  to?: string;
  candidate?: Candidate | null;
  restart?: boolean;
  bye?: boolean;
  fixed?: boolean;
}

/** Why something that came was not used. */
export type DropReason = "stale" | "ignored" | "bad" | "full" | "foreign";
export type CloseReason = "closed" | "bye" | "failed";
export type PairState = "new" | "negotiating" | "stable" | "closed";

export type NegotiationOutput =
  /** Make a new peer connection, and drop the one before it, if there is one. */
  | { do: "open"; instance: string }
  /** Make an offer, set it as the local description, and say `described(number, …)`. `restart`: with fresh ICE. */
  | { do: "make_offer"; number: number; restart: boolean }
  | { do: "make_answer"; number: number }
  /** Set the remote description (an own offer is rolled back by that), and say `applied(number)`. */
  | { do: "apply"; number: number; type: "offer" | "answer"; sdp: string }
  /** A candidate of the other side, of the remote description that is set. Null: there are no more. */
  | { do: "add_candidate"; candidate: Candidate | null }
  /** Say it to the other participant. What is sent arrives in this order, or the participant is gone. */
  | { do: "send"; signal: Signal }
  /** Drop the peer connection. */
  | { do: "close"; reason: CloseReason }
  /** `gen` is the generation both sides agreed on last. */
  | { do: "state"; state: PairState; gen: number };

/** Whether a candidate belongs to a description: by its username fragment, if it says one. */
export function isOf(candidate: Candidate, sdp: string): boolean {
  return !candidate.usernameFragment || lines(sdp).includes(`a=ice-ufrag:${candidate.usernameFragment}`);
}

/** Whether the description has the candidate already. */
export function standsIn(candidate: Candidate, sdp: string): boolean {
  return !!candidate.candidate && lines(sdp).includes(`a=${candidate.candidate}`);
}

function lines(sdp: string): string[] {
  return sdp.split(/[\r\n]/);
}
