/** One channel as the client sees it: what it has received, and whether the server knows that it wants more. */

import type { ClientInfo, Position, SubscribeRequest, WirePublication } from "../messages.js";

export type SubscriptionState = "wanted" | "asked" | "live" | "ended";

export class Subscription {
  state: SubscriptionState = "wanted";
  duplicates = 0;
  wasLive: boolean;
  /** Of its presence, where joins and leaves are watched and it was read. */
  members: Record<string, ClientInfo> | undefined;
  rev = 0;

  constructor(
    readonly channel: string,
    public position: Position | undefined,
    readonly joinLeave: boolean,
    readonly isByServer: boolean,
  ) {
    this.wasLive = position !== undefined;
  }

  /** What is asked: from the position, where there is one. */
  request(): SubscribeRequest {
    return {
      channel: this.channel,
      ...(this.position && {
        recover: true,
        ...(this.position.epoch && { epoch: this.position.epoch }),
        ...(this.position.offset && { offset: this.position.offset }),
      }),
      ...(this.joinLeave && { join_leave: true }),
    };
  }

  /** Where it stands, for a new wire of the session. */
  stated(): Partial<Position> {
    const { epoch, offset } = this.position ?? { epoch: "", offset: 0 };
    return { ...(epoch && { epoch }), ...(offset && { offset }) };
  }

  /** The server's result: what of its publications is new. Within an epoch the position never goes back. */
  granted(epoch: string, offset: number, publications: WirePublication[]): WirePublication[] {
    this.state = "live";
    const before = this.position;
    const isSame = before !== undefined && before.epoch === epoch;
    const fresh = publications.filter((each) => !isSame || (each.offset ?? 0) > before.offset);
    this.duplicates += publications.length - fresh.length;
    this.wasLive = true;
    if (epoch && (!isSame || offset > before.offset)) this.position = { epoch, offset };
    return fresh;
  }

  /** A live publication: true if it is new. One without an offset has no place and is always new. */
  received(offset: number): boolean {
    if (!offset || !this.position) return true;
    if (offset <= this.position.offset) {
      this.duplicates++;
      return false;
    }
    this.position = { epoch: this.position.epoch, offset };
    return true;
  }
}
