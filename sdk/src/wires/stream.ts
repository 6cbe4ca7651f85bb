/** Replies as lines of one long HTTP response, commands by POST. */

import type { Command } from "../wire.js";
import { repliesOf } from "./base.js";
import { OneWayWire } from "./emulation.js";

/** Characters of one line that is not complete yet. */
const LINE = 16_777_216;

export class StreamWire extends OneWayWire {
  readonly transport = "stream";

  protected _start(connect: Command): void {
    this._read(connect).then(
      () => this._lost(0, "the stream ended"),
      (error: unknown) => this._lost(0, `no stream: ${error}`),
    );
  }

  private async _read(connect: Command): Promise<void> {
    const answer = await this._context.fetch!(this._url("stream", "/connection/http_stream"), {
      method: "POST",
      body: JSON.stringify(connect),
      signal: this._gone.signal,
    });
    if (!answer.ok || !answer.body) throw new Error(`HTTP status ${answer.status}`);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done || !this._listener) return;
      const end = (rest += value).lastIndexOf("\n") + 1;
      if (end) this._came(repliesOf(rest.slice(0, end)));
      rest = rest.slice(end);
      if (rest.length > LINE) throw new Error("a line without an end");
    }
  }
}
