/** Polls that ask for what is there now, the rarer the less comes. */

import { LongPollWire } from "./long-poll.js";

export class ShortPollWire extends LongPollWire {
  override readonly transport = "short-poll";
  protected override readonly _wait = 0;
}
