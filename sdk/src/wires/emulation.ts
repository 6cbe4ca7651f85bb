/**
 * The upward half of wires that only come down: `POST /emulation`, one after the other.
 *
 * A POST whose answer is lost is sent again: the server runs each number once. 404 says that it does not know the wire.
 */

import { FIRST_UNNUMBERED_ID } from "../messages.js";
import type { Command, Reply, WireContext } from "../wire.js";
import { BaseWire, linesOf } from "./base.js";

const BODY = 32_768;
const SECONDS = 10;
const PAUSES = [0.2, 0.5, 1, 2, 0];
/** For all tries of one POST. */
const TRYING = 15;
/** After the server has taken a ping, which it answers at once: silence says that the stream is held back. */
const HELD_SECONDS = 2;
/** After it has taken anything else: silence calls for a ping. */
const ASK_SECONDS = 1;
/** Characters, of three bytes at most, that are delivered as the page goes: browsers take 64 KiB. */
const LAST_BODY = 20_000;

export abstract class OneWayWire extends BaseWire {
  protected readonly _gone = new AbortController();
  private _waiting: Command[] = [];
  private _isPosting = false;
  private _session = "";
  private _node = "";
  private _heldTimer = 0;

  send(commands: Command[]): void {
    this._waiting.push(...commands.filter((each) => each.id)); // pongs are not wanted here
    void this._post();
  }

  protected _came(replies: Reply[]): void {
    for (const { connect } of replies) {
      if (connect) {
        this._session = connect.session ?? "";
        this._node = connect.node ?? "";
      }
    }
    this._context.clock.cancel(this._heldTimer);
    this._received(replies);
    void this._post();
  }

  private _body(commands: Command[]): string {
    return JSON.stringify({ session: this._session, node: this._node, data: linesOf(commands) });
  }

  private async _post(): Promise<void> {
    if (this._isPosting || !this._session || !this._waiting.length) return;
    this._isPosting = true;
    let count = 1;
    while (count < this._waiting.length && linesOf(this._waiting.slice(0, count + 1)).length < BODY) count++;
    const body = this._body(this._waiting.slice(0, count));
    const began = this._context.clock.now();
    for (const pause of PAUSES) {
      const status = await posted(this._context, this._url("emulation", "/emulation"), body);
      if (!this._listener) return;
      if (status >= 200 && status < 300) break;
      const isFinal = status >= 400 && status < 500;
      if (isFinal || !pause || this._context.clock.now() - began > TRYING) {
        this._lost(0, status ? `a command was answered with HTTP status ${status}` : "commands do not get through");
        return;
      }
      await new Promise<void>((resolve) => this._context.clock.after(pause, resolve));
      if (!this._listener) return;
    }
    const taken = this._waiting.splice(0, count);
    this._isPosting = false;
    if (this._figures.lastByteAt < began) this._expect(taken.some(isPing));
    void this._post();
  }

  /** Its answer is on its way down; only a ping's is certain to come soon. */
  private _expect(isPing: boolean): void {
    const { clock } = this._context;
    clock.cancel(this._heldTimer);
    this._heldTimer = clock.after(isPing ? HELD_SECONDS : ASK_SECONDS, () => {
      if (isPing) this._listener?.measured?.({ buffered: true });
      else this.send([{ id: FIRST_UNNUMBERED_ID, ping: {} }]);
    });
  }

  protected _stop(bye?: Command[]): void {
    this._context.clock.cancel(this._heldTimer);
    this._gone.abort();
    if (bye && this._session) {
      beacon(this._url("emulation", "/emulation"), lastBody(this._waiting, (first) => this._body([...first, ...bye])));
    }
  }
}

function isPing({ id, ping }: Command): boolean {
  return !!ping && id! >= FIRST_UNNUMBERED_ID;
}

/** A body with as many of the commands, from the first, as fit. */
export function lastBody(commands: Command[], bodyOf: (first: Command[]) => string): string {
  let body = bodyOf(commands);
  while (body.length > LAST_BODY && commands.length) body = bodyOf((commands = commands.slice(0, commands.length >> 1)));
  return body;
}

/** Deliver as the page goes. */
export function beacon(url: URL, body: string): void {
  if (!globalThis.navigator?.sendBeacon?.(url, body)) {
    void globalThis.fetch?.(url, { method: "POST", body, keepalive: true }).catch(() => undefined);
  }
}

/** The status of a POST; 0 where there was no answer within 10 s. */
async function posted(context: WireContext, url: URL, body: string): Promise<number> {
  const abort = new AbortController();
  const timer = context.clock.after(SECONDS, () => abort.abort());
  try {
    const answer = await context.fetch!(url, { method: "POST", body, credentials: "omit", signal: abort.signal });
    return answer.status;
  } catch {
    return 0;
  } finally {
    context.clock.cancel(timer);
  }
}
