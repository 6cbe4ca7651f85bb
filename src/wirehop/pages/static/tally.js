// Counts what the application sees of its channels: every publication once, and none left out, is what it looks for.
//
// It does not ask the SDK whether something is missing: it looks at the offsets of what arrives.

export class Tally {
  received = 0;
  doubled = 0; // seen twice, or after a later one
  missing = 0; // offsets that were jumped over
  lostLogs = 0; // logs that are not there any more: what was missed of them nobody knows
  #dropped = 0;
  #watched = new Map(); // channel → what it said of duplicates the last time

  constructor(changed) {
    this.changed = changed;
  }

  /** Publications that the server sent again and the SDK let nobody see twice. */
  get dropped() {
    let sum = this.#dropped;
    for (const [channel, before] of this.#watched) {
      const now = Math.max(before, channel.duplicates);
      this.#watched.set(channel, now);
      sum += now;
    }
    return sum;
  }

  /** All that is watched is over. */
  settle() {
    this.#dropped = this.dropped;
    this.#watched.clear();
  }

  /** Watch a channel, until it ends. To be called before it is live. */
  watch(channel) {
    let epoch = "";
    let next = 0; // the offset that has to come
    const begin = (position) => {
      epoch = position?.epoch ?? "";
      next = (position?.offset ?? 0) + 1;
    };
    this.#watched.set(channel, 0);
    channel.on("subscribed", ({ recovered, position }) => {
      if (recovered) return; // what was missed comes as publications
      if (recovered === false && position?.epoch === epoch) this.missing += Math.max(0, position.offset + 1 - next);
      else if (recovered === false) this.lostLogs++;
      begin(position);
      this.changed();
    });
    channel.on("publication", ({ position }) => {
      this.received++;
      if (position && position.epoch !== epoch) begin({ ...position, offset: position.offset - 1 });
      if (position) {
        if (position.offset < next) this.doubled++;
        else {
          this.missing += position.offset - next;
          next = position.offset + 1;
        }
      }
      this.changed();
    });
    channel.on("unsubscribed", () => {
      this.#dropped += this.#watched.get(channel) ?? 0;
      this.#watched.delete(channel);
    });
  }
}
