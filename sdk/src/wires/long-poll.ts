/** Polls that the server holds until there is something. */

import { beacon } from "./emulation.js";
import { PollWire, type PollAnswer } from "./poll.js";

export class LongPollWire extends PollWire {
  readonly transport: string = "long-poll";
  protected override readonly _wait: number = 25;

  protected async _travel(body: string, seconds: number): Promise<PollAnswer> {
    const abort = new AbortController();
    const { clock, fetch } = this._context;
    const timer = clock.after(seconds, () => abort.abort());
    const stop = () => abort.abort();
    this._gone.signal.addEventListener("abort", stop);
    try {
      const answer = await fetch!(this._url("poll", "/connection/poll"), { method: "POST", body, signal: abort.signal });
      if (answer.status >= 500) throw new Error(`HTTP status ${answer.status}`);
      return (await answer.json()) as PollAnswer;
    } finally {
      clock.cancel(timer);
      this._gone.signal.removeEventListener("abort", stop);
    }
  }

  protected _bye(body: string): void {
    beacon(this._url("poll", "/connection/poll"), body);
  }
}
