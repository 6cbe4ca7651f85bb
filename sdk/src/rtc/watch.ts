/**
 * What to do about a connection that does not connect, or breaks. Pure: states of ICE in, advice out.
 *
 *     disconnected, 1 s   → restart (fresh candidates over the same connection), again after 2, 4, … 30 s
 *     disconnected still, after 3 restarts that both sides agreed on   → as failed: Chromium never says so itself
 *     failed              → anew (another connection, relayed only), again after 2, 4, … 30 s
 *     not connected 12 s after both sides agreed, or after checks began → as failed
 *
 * Of the two sides the one with the lesser id is `first`; the other waits longer, so that they rarely do it at once.
 */

export type Advice = "restart" | "anew";

const PATIENCE_SECONDS = 1;
const SECOND_WAITS = 1.5;
const CONNECT_SECONDS = 12;
const LONGEST_SECONDS = 30;
const MOST_RESTARTS = 3;

export class IceWatch {
  private _state: RTCIceConnectionState = "new";
  private _due: number | undefined;
  private _attempts = 0;
  private _agreements = 0; // on restarts, since it was connected

  constructor(private readonly _isFirst: boolean) {}

  get isConnected(): boolean {
    return this._state === "connected" || this._state === "completed";
  }

  deadline(): number | undefined {
    return this._due;
  }

  /** Both sides have agreed on descriptions: from here on it should connect. */
  agreed(now: number): void {
    if (this._state === "disconnected") this._agreements++;
    else if (!this.isConnected) this._in(CONNECT_SECONDS, now);
  }

  /** ICE is in another state. `opened`: of a new connection. */
  changed(state: RTCIceConnectionState, now: number): void {
    const before = this._state;
    this._state = state;
    if (state !== "disconnected") this._agreements = 0;
    if (this.isConnected) {
      this._due = undefined;
      this._attempts = 0;
    } else if (state === "disconnected" && before !== state) {
      this._in(this._attempts ? this._backoff() : PATIENCE_SECONDS, now);
    } else if (state === "failed") {
      this._in(this._attempts ? this._backoff() : 0, now);
    } else if (state === "checking") {
      this._in(CONNECT_SECONDS, now);
    } else if (state === "new" || state === "closed") {
      this._due = undefined;
    }
  }

  /** Time has passed: what is to be done now, if anything. */
  tick(now: number): Advice | undefined {
    if (this._due === undefined || now < this._due) return undefined;
    this._attempts++;
    this._in(this._backoff(), now);
    return this._state === "disconnected" && this._agreements < MOST_RESTARTS ? "restart" : "anew";
  }

  private _backoff(): number {
    return Math.min(2 ** this._attempts, LONGEST_SECONDS);
  }

  private _in(seconds: number, now: number): void {
    this._due = now + seconds + (this._isFirst ? 0 : SECOND_WAITS);
  }
}
