/**
 * The upward half of wires that only come down: `POST /emulation`, one after the other.
 *
 * A POST whose answer is lost is sent again: the server runs each number once. 404 says that it does not know the wire.
 */

import type { Command, Reply, WireContext } from "../wire.js";
import { BaseWire, linesOf } from "./base.js";

const BODY = 32_768;
const SECONDS = 10;
const PAUSES = [0.2, 0.5, 1, 2];
/** After the server has taken a command that it answers at once: silence says that the stream is held back. */
const HELD_SECONDS = 2;

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
    this._ask();
    const began = this._context.clock.now();
    for (const pause of [...PAUSES, 0]) {
      const status = await posted(this._context, this._url("emulation", "/emulation"), body);
      if (!this._listener) return;
      if (status >= 200 && status < 300) break;
      if (status === 404 || !pause || (status >= 400 && status < 500)) {
        this._lost(0, status ? `a command was answered with HTTP status ${status}` : "commands do not get through");
        return;
      }
      await new Promise<void>((resolve) => this._context.clock.after(pause, resolve));
      if (!this._listener) return;
    }
    const taken = this._waiting.splice(0, count);
    this._isPosting = false;
    if (this._figures.lastByteAt < began && taken.some((each) => !each.send)) this._expect();
    void this._post();
  }

  /** Its answer is on its way down. */
  private _expect(): void {
    const { clock } = this._context;
    clock.cancel(this._heldTimer);
    this._heldTimer = clock.after(HELD_SECONDS, () => {
      this._figures.buffered = true;
      this._listener?.measured?.({ buffered: true });
    });
  }

  protected _stop(bye?: Command[]): void {
    this._context.clock.cancel(this._heldTimer);
    this._gone.abort();
    if (bye && this._session) beacon(this._url("emulation", "/emulation"), this._body([...this._waiting, ...bye]));
  }
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
