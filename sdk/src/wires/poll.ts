/**
 * Numbered polls (docs/poll.md): each carries all commands that are not known to be accepted and acknowledges the last
 * batch; batches come again until they are acknowledged. How a poll travels is its subclass's.
 */

import { CONNECT_ID, FIRST_UNNUMBERED_ID } from "../messages.js";
import type { Command, Reply, WireContext } from "../wire.js";
import { BaseWire } from "./base.js";
import { lastBody } from "./emulation.js";

export interface PollAnswer {
  session?: string;
  poll?: number;
  batch?: number;
  replies?: Reply[];
  error?: { code: number; message: string };
}

const PAUSES = [0.1, 0.5, 1, 2];
const SLOWEST = 5;
const FASTEST = 0.5;
/** While replies to commands are awaited: at first. */
const SOON = 0.1;
/** For an answer, beside the time for which it is held. */
const GRACE = 10;

export abstract class PollWire extends BaseWire {
  /** Seconds for which a poll asks to be held; 0 asks for what is there now. */
  protected readonly _wait: number = 0;
  /** Characters of commands in one poll. */
  protected readonly _most: number = 262_144;
  protected readonly _gone = new AbortController();
  private readonly _nonce: string;
  private _connect: Command | undefined;
  private _open: Command[] = [];
  private _session = "";
  private _isAdmitted = false;
  private _number = 0;
  private _ack = 0;
  private _running = 0;
  private _failures = 0;
  private _interval = FASTEST;
  private _soon = SOON;
  private _timer = 0;
  private _hasNews = false;

  constructor(context: WireContext) {
    super(context);
    this._nonce = Array.from({ length: 24 }, () => Math.floor(context.random() * 36).toString(36)).join("");
  }

  protected _start(connect: Command): void {
    this._connect = connect;
    this._poll();
  }

  send(commands: Command[]): void {
    this._open.push(...commands.filter((each) => each.id));
    if (this._isAdmitted && this._open.length) this._news();
  }

  override check(): void {
    this._news();
  }

  protected abstract _travel(body: string, seconds: number): Promise<PollAnswer>;

  private _news(): void {
    this._hasNews = true;
    this._soon = SOON;
    if (this._running < 2) this._poll();
  }

  private _carried(): Command[] {
    if (!this._session) return [this._connect!];
    if (!this._isAdmitted) return [];
    const chosen: Command[] = [];
    let size = 0;
    for (const command of this._open) {
      size += JSON.stringify(command).length;
      if (chosen.length && size > this._most) break;
      chosen.push(command);
    }
    if (chosen.length && chosen.every((each) => each.send)) chosen.push({ id: FIRST_UNNUMBERED_ID, ping: {} });
    return chosen;
  }

  private _poll(): void {
    const { clock } = this._context;
    clock.cancel(this._timer);
    this._hasNews = false;
    this._running++;
    const who = this._session ? { session: this._session } : { nonce: this._nonce };
    const body = JSON.stringify({ ...who, poll: ++this._number, ack: this._ack, wait: this._wait, commands: this._carried() });
    const began = clock.now();
    this._travel(body, this._wait + GRACE).then(
      (answer) => {
        this._running--;
        if (this._listener) this._answered(answer, clock.now() - began);
      },
      (error: unknown) => {
        this._running--;
        if (this._listener) this._failed(error);
      },
    );
  }

  private _failed(error: unknown): void {
    const pause = PAUSES[this._failures++];
    const silence = this._context.clock.now() - this._figures.lastByteAt;
    if (pause === undefined || silence > this._wait + GRACE - 1) this._lost(0, `polls do not get through: ${error}`);
    else if (!this._running) this._timer = this._context.clock.after(pause, () => this._poll());
  }

  private _answered(answer: PollAnswer, seconds: number): void {
    if (answer.error || !answer.session) {
      this._lost(0, answer.error?.message ?? "this is no answer to a poll");
      return;
    }
    this._session = answer.session;
    this._failures = 0;
    this._heard();
    const replies = answer.replies ?? [];
    const isNew = !!replies.length && answer.batch === this._ack + 1;
    if (isNew) {
      this._ack = answer.batch!;
      for (const reply of replies) this._accepted(reply);
      this._interval = FASTEST;
      this._soon = SOON;
      this._received(replies);
    } else this._interval = Math.min(SLOWEST, this._interval * 1.5);
    if (!this._listener || (this._running && !this._hasNews)) return;
    const isHeld = this._wait && seconds > this._wait / 2;
    let pause = this._wait ? 1 : this._interval;
    if (isNew || isHeld || this._hasNews) pause = 0;
    else if (this._open.length) {
      pause = Math.min(pause, this._soon);
      this._soon *= 1.5;
    }
    this._context.clock.cancel(this._timer);
    if (pause || !this._wait) this._timer = this._context.clock.after(pause || SOON, () => this._poll());
    else this._poll();
  }

  /** Forget the commands that this reply shows to have been accepted. */
  private _accepted(reply: Reply): void {
    const id = reply.id ?? 0;
    if (id === CONNECT_ID) {
      this._isAdmitted = !reply.error;
      this._hasNews = !!this._open.length;
    }
    const below = Math.max(id && id < FIRST_UNNUMBERED_ID ? id + 1 : 0, reply.wh?.next ?? 0);
    this._open = this._open.filter((each) => each.id! >= below && each.id !== id);
  }

  protected _stop(bye?: Command[]): void {
    this._context.clock.cancel(this._timer);
    this._gone.abort();
    if (!bye || !this._session) return;
    const poll = { session: this._session, poll: this._number + 1, ack: this._ack, wait: 0 };
    this._bye(lastBody(this._open, (first) => JSON.stringify({ ...poll, commands: [...first, ...bye] })));
  }

  protected abstract _bye(body: string): void;
}
