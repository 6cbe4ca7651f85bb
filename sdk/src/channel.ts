/** A channel as a page holds it: typed events, and an async iterator over its publications. */

import type { Client } from "./client.js";
import { Emitter } from "./emitter.js";
import type { ClientInfo, HistoryResult, Position, WirePublication } from "./messages.js";

/** One item of a channel. `position` is undefined in channels without a log. */
export interface Publication<T = unknown> extends WirePublication<T> {
  channel: string;
  position: Position | undefined;
}

export interface ChannelEvents<T> {
  publication: Publication<T>;
  /** The channel is live. `recovered` false: something may have been missed since the last time. */
  subscribed: { recovered: boolean | undefined; position: Position | undefined; byServer: boolean };
  unsubscribed: { code: number; reason: string };
  join: ClientInfo;
  leave: ClientInfo;
}

/** Publications that wait for a slow iterator; the oldest are let go of, and counted in `dropped`. */
const INBOX = 10_000;

export class Channel<T = unknown> extends Emitter<ChannelEvents<T>> implements AsyncIterable<Publication<T>> {
  isLive = false;
  dropped = 0;

  /** @internal */
  constructor(
    private readonly _client: Client,
    readonly name: string,
  ) {
    super();
  }

  /** After the last publication that was received. */
  get position(): Position | undefined {
    return this._client.positionOf(this.name);
  }

  /** Publications that the server sent again (after a move, say) and that nobody here has seen twice. */
  get duplicates(): number {
    return this._client.duplicatesOf(this.name);
  }

  /** Publish; the position it got. With `key` it is done once, however often it is tried. */
  publish(data: T, options: { key?: string; event?: string } = {}): Promise<Position | undefined> {
    return this._client.publish(this.name, data, options);
  }

  /** Who is in the channel, by client id. */
  presence(): Promise<Record<string, ClientInfo>> {
    return this._client.presence(this.name);
  }

  history(options: { limit?: number; since?: Position; reverse?: boolean } = {}): Promise<HistoryResult> {
    return this._client.history(this.name, options);
  }

  /** Nothing more is wanted of it. Iterators end. */
  unsubscribe(): void {
    this._client.leave(this.name);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Publication<T>, void, undefined> {
    const inbox: Publication<T>[] = [];
    let isOver = false;
    let wake = () => {};
    const ends = [
      this.on("publication", (publication) => {
        if (inbox.push(publication) > INBOX) {
          inbox.shift();
          this.dropped++;
        }
        wake();
      }),
      this.on("unsubscribed", () => {
        isOver = true;
        wake();
      }),
    ];
    try {
      for (;;) {
        const publication = inbox.shift();
        if (publication) yield publication;
        else if (isOver) return;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      for (const end of ends) end();
    }
  }
}
