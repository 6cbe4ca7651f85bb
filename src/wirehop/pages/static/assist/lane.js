// What is quick and private to the people of a session: pointers, pens, input. It goes over a data channel between the
// two, and where there is none at the moment over a channel of the server.
//
// Every message has a number of its sender: what comes twice, or after a later one, is dropped and counted. A pointer may
// be lost (the next one says more); all else is sent reliably. Over the server a pointer is sent eight times a second.

const SURE = "assist.sure";
const QUICK = "assist.quick";
const SLOW_EVERY = 125; // milliseconds between two pointers over the server
const MOST_BUFFERED = 64 * 1024; // bytes in front of a pointer: above it the pointer is left out
const LONGEST = 16_000; // characters of a message

export class Lane {
  sent = { direct: 0, server: 0 };
  dropped = { late: 0, bad: 0, full: 0 };
  #numbers = new Map(); // sender and kind → the last number
  #number = 0;
  #pointer = null; // the one that waits for its turn over the server
  #timer = 0;
  #ends = [];

  /** `heard(message, from)` gets what another participant says; `from` is its id. */
  constructor(client, room, name, heard) {
    Object.assign(this, { room, heard });
    this.me = client;
    this.fallback = client.channel(name);
    this.#ends.push(
      this.fallback.on("publication", ({ data, info }) => this.#fromServer(data, info?.client ?? "")),
      room.on("joined", (participant) => this.#join(participant)),
      room.on("left", ({ id }) => this.#forget(id)),
    );
    for (const participant of room.participants.values()) this.#join(participant);
  }

  /** Tell somebody; without `to` everybody. */
  send(message, { to, isSure = true } = {}) {
    const numbered = { ...message, n: ++this.#number };
    const text = JSON.stringify(numbered);
    let isIndirect = false;
    for (const participant of this.room.participants.values()) {
      if (to && participant.id !== to) continue;
      const channel = participant.channel(isSure ? SURE : QUICK);
      if (!channel.isOpen) isIndirect = true;
      else if (!isSure && channel.buffered > MOST_BUFFERED) this.dropped.full += 1;
      else {
        this.sent.direct += 1;
        channel.send(text).catch(() => (this.dropped.full += 1));
      }
    }
    if (!isIndirect) return;
    if (isSure) this.#publish({ to, message: numbered });
    else this.#later({ to, message: numbered });
  }

  close() {
    clearTimeout(this.#timer);
    for (const end of this.#ends) end();
    this.fallback.unsubscribe();
  }

  #publish(data) {
    this.sent.server += 1;
    this.fallback.publish(data).catch(() => (this.dropped.full += 1));
  }

  /** Only the newest of those that wait. */
  #later(data) {
    this.#pointer = data;
    if (this.#timer) return;
    this.#timer = setTimeout(() => {
      this.#timer = 0;
      if (this.#pointer) this.#publish(this.#pointer);
      this.#pointer = null;
    }, SLOW_EVERY);
  }

  #join(participant) {
    for (const channel of [participant.channel(SURE), participant.channel(QUICK, { reliable: false })]) {
      this.#ends.push(channel.on("message", (text) => this.#fromPeer(text, participant.id)));
    }
  }

  #forget(id) {
    for (const key of this.#numbers.keys()) if (key.startsWith(`${id} `)) this.#numbers.delete(key);
  }

  #fromPeer(text, from) {
    try {
      if (typeof text !== "string" || text.length > LONGEST) throw new RangeError("not a message");
      this.#take(JSON.parse(text), from);
    } catch {
      this.dropped.bad += 1;
    }
  }

  #fromServer(data, from) {
    if (from === this.me.id || (data?.to && data.to !== this.me.id)) return;
    if (!this.room.participants.has(from)) return void (this.dropped.bad += 1);
    this.#take(data?.message, from);
  }

  #take(message, from) {
    if (typeof message?.kind !== "string" || !Number.isSafeInteger(message.n)) return void (this.dropped.bad += 1);
    const key = `${from} ${message.kind === "pointer" ? "quick" : "sure"}`;
    if (message.n <= (this.#numbers.get(key) ?? 0)) return void (this.dropped.late += 1);
    this.#numbers.set(key, message.n);
    this.heard(message, from);
  }
}
