/**
 * What a wire is: one connection, once.
 *
 * A wire carries commands up and replies down, and says when it is lost. It decides nothing: what a reply means and
 * whether to open another is the machine's. It takes time, the network and chance from its context, so tests give
 * their own. Session pings (`{}`) are the driver's to answer: a wire passes them on as empty replies.
 */

import type { Command, Reply } from "./messages.js";

export type { Command, Reply };

/** Who hears of a wire. After `lost` nothing more comes, and nothing after `close`. */
export interface WireListener {
  /** Replies came, in order. */
  received(replies: Reply[]): void;
  /** The wire is gone: a close code of the protocol, or 0 where there is none. */
  lost(code: number, reason: string): void;
  /** What the wire finds out by itself. */
  measured?(found: Measured): void;
}

/** What was found out about a wire: seconds there and back; whether bytes are held back on the way. */
export interface Measured {
  roundTrip?: number;
  buffered?: boolean;
}

/** `lastByteAt` by the context's clock. */
export interface WireFigures {
  lastByteAt: number;
}

/** The world, as a wire needs it. `paths` are the server's, by name of the wire, relative to `base`. */
export interface WireContext {
  base: URL;
  paths: Record<string, string>;
  clock: Clock;
  fetch?: typeof fetch;
  WebSocket?: typeof WebSocket;
  EventSource?: typeof EventSource;
  document?: Document;
  random(): number;
}

/** One wire, for one use. */
export interface Wire {
  readonly transport: string;
  /** Open, and transmit the connect as the first command. */
  open(connect: Command, listener: WireListener): void;
  /** Send these, in order. */
  send(commands: Command[]): void;
  /** Find out soon whether it is still alive (after a thaw); `lost` if it is not. */
  check(): void;
  figures(): WireFigures;
  /** End it. With `bye`, deliver these commands as the page goes. Nothing is heard of it any more. */
  close(bye?: Command[]): void;
}

/** Time: `now` is monotonic seconds, `wall` seconds since 1970. */
export interface Clock {
  now(): number;
  wall(): number;
  after(seconds: number, run: () => void): number;
  cancel(id: number): void;
}
