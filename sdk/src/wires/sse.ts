/** Replies as Server-Sent Events, commands by POST. A browser's own reconnecting is prevented: that is the machine's. */

import type { Command } from "../wire.js";
import { repliesOf } from "./base.js";
import { OneWayWire } from "./emulation.js";

/** A longer connect is POSTed for a ticket first. */
const URL_LENGTH = 4_096;

export class SseWire extends OneWayWire {
  readonly transport = "sse";
  private _source: EventSource | undefined;

  protected _start(connect: Command): void {
    this._listen(connect).catch((error: unknown) => this._lost(0, `no event stream: ${error}`));
  }

  private async _listen(connect: Command): Promise<void> {
    const url = this._url("sse", "/connection/sse");
    const body = JSON.stringify(connect);
    if (encodeURIComponent(body).length < URL_LENGTH) url.searchParams.set("cf_connect", body);
    else {
      const answer = await this._context.fetch!(url, { method: "POST", body, signal: this._gone.signal });
      if (!answer.ok) throw new Error(`HTTP status ${answer.status}`);
      url.searchParams.set("cf_ticket", ((await answer.json()) as { cf_ticket: string }).cf_ticket);
    }
    if (!this._listener) return;
    const source = (this._source = new this._context.EventSource!(url));
    source.onmessage = ({ data }) => {
      try {
        this._came(repliesOf(data as string));
      } catch (error) {
        this._lost(0, `no event stream: ${error}`);
      }
    };
    source.onerror = () => this._lost(0, "the event stream broke");
  }

  protected override _stop(bye?: Command[]): void {
    this._source?.close();
    super._stop(bye);
  }
}
