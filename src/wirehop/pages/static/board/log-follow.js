// Follows the log of one run: live from the subscription on; what was before it is read from history, several pages at
// a time. After a loss that recovery did not cover it reads what it has missed.
//
// What comes is somebody else's word: shapes are checked, and lines beyond a bound are dropped and counted.

const STRETCH = 16; // publications that one reader goes through by itself
const READERS = 4;
const AGAIN = 1000; // milliseconds
const MOST_LINES = 500_000;
const MOST_TEXT = 16_384;
const UNRECOVERABLE = 112; // history does not reach back so far

export class LogFollower {
  ended; // how the run has ended, as its log says
  isReading = false;
  dropped = 0; // lines beyond the bound, and what is not a log
  received = 0; // publications
  error = ""; // why nothing can be read
  #client;
  #channel;
  #log;
  #store;
  #changed;
  #isClosed = false;
  #seen = 0; // the newest offset

  /** `log`: `{channel, run, since}`. `changed` is called after each change, often. */
  constructor(client, log, store, changed) {
    this.#client = client;
    this.#log = log;
    this.#store = store;
    this.#changed = changed;
    this.#seen = log.since;
    const channel = (this.#channel = client.channel(log.channel));
    channel.on("subscribed", ({ recovered, position }) => {
      if (this.#isClosed || recovered || !position) return;
      if (position.offset < this.#seen) this.#seen = 0; // another server: its log begins anew
      this.#read(position.epoch, this.#seen, position.offset);
      this.#seen = position.offset;
    });
    channel.on("publication", ({ data, offset }) => {
      if (this.#isClosed) return;
      this.#seen = offset;
      this.#take(data);
      this.#changed();
    });
    channel.on("unsubscribed", ({ reason }) => {
      this.error = reason;
      if (!this.#isClosed) this.#changed();
    });
  }

  close() {
    this.#isClosed = true;
    this.#client.leave(this.#channel.name);
  }

  /** All from after `from` up to `to`. */
  async #read(epoch, from, to) {
    if (from >= to) return this.#changed();
    this.isReading = true;
    this.#changed();
    let next = await this.#reachable(epoch, from);
    const reader = async () => {
      while (next < to && !this.#isClosed) {
        const begin = next;
        next = Math.min(to, begin + STRETCH);
        await this.#stretch(epoch, begin, next);
      }
    };
    await Promise.all(Array.from({ length: READERS }, reader));
    this.isReading = false;
    if (!this.#isClosed) this.#changed();
  }

  /** Where history begins, if that is later than `from`. */
  async #reachable(epoch, from) {
    const { publications = [], lost } = await this.#page({ since: { epoch, offset: from }, limit: 1 });
    if (!lost) return from;
    const oldest = (await this.#page({ limit: 1 })).publications?.[0];
    const first = oldest?.data?.first;
    if (oldest?.data?.run === this.#log.run && Number.isInteger(first)) this.#store.beginsAt(Math.min(first, MOST_LINES));
    return publications.length ? from : (oldest?.offset ?? from + 1) - 1;
  }

  async #stretch(epoch, from, to) {
    while (from < to && !this.#isClosed) {
      const { publications = [] } = await this.#page({ since: { epoch, offset: from }, limit: to - from });
      if (!publications.length) return; // it was pushed out while we were reading
      for (const { data } of publications) this.#take(data);
      from = publications.at(-1).offset;
      this.#changed();
    }
  }

  async #page(options) {
    while (!this.#isClosed) {
      try {
        return await this.#channel.history(options);
      } catch (error) {
        if (error.code === UNRECOVERABLE) return { lost: true };
        await new Promise((done) => setTimeout(done, AGAIN));
      }
    }
    return {};
  }

  #take(data) {
    this.received++;
    if (data?.run !== this.#log.run) return; // an earlier run's, in the same channel
    if (data.kind === "end") this.ended = data;
    if (data.kind !== "lines") return;
    const { first, at, lines } = data;
    if (!Number.isInteger(first) || first < 1 || !Number.isFinite(at) || !Array.isArray(lines)) return this.dropped++;
    const room = Math.max(0, MOST_LINES - first + 1);
    this.dropped += Math.max(0, lines.length - room);
    this.#store.add({ first, at, lines: lines.slice(0, room).map(checked) });
  }
}

const checked = (line) => [Number(line?.[0]) || 0, (line?.[1] === 2 ? 2 : 1) + (line?.[3] ? 2 : 0), String(line?.[2] ?? "").slice(0, MOST_TEXT)];
