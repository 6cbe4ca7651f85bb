/**
 * What a client has to say, in order and once: commands that wait, and those that were numbered and are not answered.
 *
 * The same as `Outgoing` of the Python client; both repeat `protocol/vectors`. A command that was sent once keeps its
 * number and goes again on every new wire until its reply is here, or (for `send`) until it is known to be accepted.
 * At most `limit` numbers are not acknowledged as a whole, and `COMMANDS` or `BYTES` wait.
 */

import { FIRST_UNNUMBERED_ID, type Command } from "../messages.js";

export const COMMANDS = 10_000;
export const BYTES = 1_048_576;
const LIMIT = 256;

/** A command with a number. `call` is who waits for its reply: 0 for nobody. */
export interface Sent {
  call: number;
  command: Command;
}

interface Waiting extends Sent {
  size: number;
}

export class Outgoing {
  limit = LIMIT;
  next = 1;
  sent = new Map<number, Sent>();
  private _waiting: Waiting[] = [];
  private _bytes = 0;
  private _allUpTo = 0;
  private _answered = new Set<number>();
  private _unnumbered = FIRST_UNNUMBERED_ID;

  /** Whether everything has reached the server. */
  get isEmpty(): boolean {
    return !this.sent.size && !this._waiting.length;
  }

  /** What to acknowledge: `wh.acked`. */
  get acked(): number[] {
    return this._allUpTo || this._answered.size
      ? [this._allUpTo, ...[...this._answered].sort((a, b) => a - b)]
      : [];
  }

  /** One more command, for later. False: too much waits. */
  add(call: number, command: Command): boolean {
    const size = sizeOf(command);
    if (this._waiting.length >= COMMANDS || this._bytes + size > BYTES) return false;
    this._waiting.push({ call, command, size });
    this._bytes += size;
    return true;
  }

  /** Those that may go now, with their numbers. */
  ready(): Command[] {
    const found: Command[] = [];
    while (this._waiting.length && this.next - 1 - this._allUpTo < this.limit) {
      const { call, command, size } = this._waiting.shift()!;
      this._bytes -= size;
      found.push(this.number(command, call));
    }
    return found;
  }

  /** The command with the next number; it is kept until it is answered. */
  number(command: Command, call = 0): Command {
    const numbered = { ...command, id: this.next };
    this.sent.set(this.next++, { call, command: numbered });
    return numbered;
  }

  /** An id outside of the numbers. */
  unnumbered(): number {
    return (this._unnumbered = this._unnumbered >= 4_294_967_294 ? FIRST_UNNUMBERED_ID : this._unnumbered + 1);
  }

  /** The reply to a number has come; the sends before it that it shows to have been accepted. */
  answered(number: number): Sent[] {
    this._done(number);
    return this.accepted(number);
  }

  /** The server has accepted all numbers below this one: the sends among them. */
  accepted(below: number): Sent[] {
    const found = [...this.sent].filter(([number, each]) => number < below && each.command.send);
    return found.map(([number]) => this._done(number)!);
  }

  private _done(number: number): Sent | undefined {
    const sent = this.sent.get(number);
    if (sent) {
      this.sent.delete(number);
      this._answered.add(number);
      while (this._answered.delete(this._allUpTo + 1)) this._allUpTo++;
    }
    return sent;
  }

  /** Everything that is not answered, for a new wire. */
  again(): Command[] {
    return [...this.sent].sort(([a], [b]) => a - b).map(([, sent]) => sent.command);
  }

  /** This client has lost its commands (a reload): the numbers below were another life's. */
  startAt(number: number): void {
    if (number > this.next && !this.sent.size) {
      this.next = number;
      this._allUpTo = number - 1;
    }
  }

  /** The session is a new one. What was sent and is not answered: what may be sent again, and what is lost. */
  beginAnew(): { safe: Sent[]; lost: Sent[] } {
    const safe: Sent[] = [];
    const lost: Sent[] = [];
    for (const [, sent] of [...this.sent].sort(([a], [b]) => a - b)) {
      (sent.command.publish?.wh?.key ? safe : lost).push(sent);
    }
    this.next = 1;
    this._allUpTo = 0;
    this.sent = new Map();
    this._answered = new Set();
    this.limit = LIMIT;
    return { safe, lost };
  }

  /** These go first. */
  putBack(sent: Sent[]): void {
    const back = sent.map(({ call, command }) => ({ call, command, size: sizeOf(command) }));
    this._waiting.unshift(...back);
    this._bytes += back.reduce((sum, each) => sum + each.size, 0);
  }

  /** Nobody waits for the reply. What was not sent never is; what was leaves a ping in its place. */
  abandon(call: number): void {
    this._waiting = this._waiting.filter((each) => each.call !== call);
    this._bytes = this._waiting.reduce((sum, each) => sum + each.size, 0);
    for (const [id, sent] of this.sent) {
      if (sent.call === call) this.sent.set(id, { call: 0, command: { id, ping: {} } });
    }
  }

  /** Everybody who waits for a reply; nothing is left afterwards. */
  calls(): number[] {
    const sent = [...this.sent].sort(([a], [b]) => a - b).map(([, each]) => each.call);
    const found = [...sent, ...this._waiting.map((each) => each.call)].filter((call) => call);
    this.sent = new Map();
    this._waiting = [];
    this._bytes = 0;
    return found;
  }
}

/** What a command counts for while it waits, in bytes or a little more. */
export function sizeOf(command: Command): number {
  const request = command.publish ?? command.rpc ?? command.send;
  return 64 + (request ? (JSON.stringify(request.data) ?? "").length : 0);
}

/** A message: its first command says what it says of the session. */
export function marked(commands: Command[], attach: number, acked: number[]): Command[] {
  const [first, ...rest] = commands;
  if (!first || !(attach || acked.length)) return commands;
  const wh = {
    ...(attach && { attach }),
    ...(acked.length && { acked }),
    ...(first.wh?.bye && { bye: true }),
  };
  return [{ ...first, wh }, ...rest];
}
