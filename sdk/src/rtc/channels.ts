/**
 * Data channels between two participants, by label: whoever opens one, both have it.
 *
 * A channel outlives the peer connection: when that is made anew, who opened it opens it again. What was given to a
 * connection that broke and had not arrived is lost, in a reliable channel too; `lost` counts the bytes. Where both open
 * the same label at once there are two underneath: each side sends on its own and hears both, so the order of each sender
 * stays.
 */

import { Emitter } from "../emitter.js";
import { RtcError } from "./errors.js";

export interface ChannelOptions {
  /** False: what is lost is not sent again. */
  reliable?: boolean;
  ordered?: boolean;
}

export type Payload = string | ArrayBuffer | ArrayBufferView<ArrayBuffer>;

export interface PeerChannelEvents {
  open: PeerChannel;
  message: string | ArrayBuffer;
  /** It carries nothing for now (or for ever, when the participant or we left). */
  closed: PeerChannel;
}

/** Bytes: above the high mark `send` waits, until the low one is reached. */
const HIGH = 1 << 20;
const LOW = 1 << 18;
/** Of bytes and messages that wait for the channel to open or to drain; more is refused with 106. */
const WAITING_BYTES = 4 << 20;
const WAITING_MESSAGES = 10_000;
/** Labels that the other side may open; more are closed at once. */
const CHANNELS = 64;

interface Waiting {
  data: Payload;
  size: number;
  done: () => void;
  fail: (error: RtcError) => void;
}

export class PeerChannel extends Emitter<PeerChannelEvents> {
  /** Bytes that a connection had taken when it broke, and that may not have arrived. */
  lost = 0;
  private _own: RTCDataChannel | undefined;
  private _theirs: RTCDataChannel | undefined;
  private _waiting: Waiting[] = [];
  private _waitingBytes = 0;
  private _isOver = false;

  /** @internal `largest`: bytes of one message that the other side takes. */
  constructor(
    readonly label: string,
    readonly options: Readonly<Required<ChannelOptions>>,
    private readonly _largest: () => number,
  ) {
    super();
  }

  get isOpen(): boolean {
    return !!this._open();
  }

  /** Bytes that were given to it and have not left. */
  get buffered(): number {
    return this._waitingBytes + (this._open()?.bufferedAmount ?? 0);
  }

  /** Send. Resolves when the channel has taken it and is below its high mark: wait for it, and nothing piles up. */
  send(data: Payload): Promise<void> {
    const size = typeof data === "string" ? new TextEncoder().encode(data).length : data.byteLength;
    const largest = this._largest();
    if (this._isOver) return Promise.reject(new RtcError("Closed", `channel ${this.label} is closed`));
    if (size > largest) {
      const text = `a message of ${size} bytes; the other side takes ${largest} at most: send it in parts`;
      return Promise.reject(new RtcError("LimitExceeded", text));
    }
    if (this._waitingBytes + size > WAITING_BYTES || this._waiting.length >= WAITING_MESSAGES) {
      const text = `${this._waitingBytes} bytes wait in channel ${this.label}: wait for send() before the next`;
      return Promise.reject(new RtcError("LimitExceeded", text));
    }
    return new Promise((done, fail) => {
      this._waiting.push({ data, size, done, fail });
      this._waitingBytes += size;
      this._flush();
    });
  }

  /** @internal */
  attach(channel: RTCDataChannel, isOwn: boolean): void {
    if (isOwn) this._own = channel;
    else this._theirs = channel;
    channel.binaryType = "arraybuffer";
    channel.bufferedAmountLowThreshold = LOW;
    channel.onbufferedamountlow = () => this._flush();
    channel.onmessage = ({ data }) => this.emit("message", data as string | ArrayBuffer);
    channel.onopen = () => this._opened();
    channel.onclose = () => this._detach(channel);
    if (channel.readyState === "open") queueMicrotask(() => this._opened());
  }

  /** @internal The connection is gone. */
  detach(): void {
    for (const each of [this._own, this._theirs]) if (each) this._detach(each);
  }

  /** @internal For good. */
  close(): void {
    this._isOver = true;
    for (const each of [this._own, this._theirs]) each?.close();
    this.detach();
    for (const { fail } of this._waiting.splice(0)) fail(new RtcError("Closed", `channel ${this.label} is closed`));
    this._waitingBytes = 0;
  }

  private _open(): RTCDataChannel | undefined {
    if (this._own) return this._own.readyState === "open" ? this._own : undefined;
    return this._theirs?.readyState === "open" ? this._theirs : undefined;
  }

  private _opened(): void {
    if (this.isOpen) this.emit("open", this);
    this._flush();
  }

  private _detach(channel: RTCDataChannel): void {
    channel.onbufferedamountlow = channel.onmessage = channel.onopen = channel.onclose = null;
    const wasOpen = channel === this._own || channel === this._theirs;
    if (this._own === channel) this._own = undefined;
    if (this._theirs === channel) this._theirs = undefined;
    this.lost += channel.bufferedAmount;
    if (wasOpen && !this._open()) this.emit("closed", this);
  }

  private _flush(): void {
    for (let next = this._waiting[0]; next; next = this._waiting[0]) {
      const channel = this._open();
      if (!channel || channel.bufferedAmount > HIGH) return;
      this._waiting.shift();
      this._waitingBytes -= next.size;
      try {
        channel.send(next.data as string);
        next.done();
      } catch (error) {
        next.fail(new RtcError("LimitExceeded", `channel ${this.label} does not take it: ${String(error)}`));
      }
    }
  }
}

/** All channels to one participant. */
export class PeerChannels {
  private readonly _channels = new Map<string, PeerChannel>();
  private readonly _own = new Set<PeerChannel>();
  private _connection: RTCPeerConnection | undefined;

  /** `came` is called with a channel that the other side has opened. */
  constructor(private readonly _came: (channel: PeerChannel) => void) {}

  get(label: string, { reliable = true, ordered = reliable }: ChannelOptions = {}): PeerChannel {
    const known = this._channels.get(label);
    if (known) return known;
    const channel = this._make(label, { reliable, ordered });
    this._own.add(channel);
    this._offer(channel);
    return channel;
  }

  /** There is a connection: open what is ours. */
  opened(connection: RTCPeerConnection): void {
    this._connection = connection;
    for (const channel of this._own) this._offer(channel);
  }

  dropped(): void {
    this._connection = undefined;
    for (const channel of this._channels.values()) channel.detach();
  }

  /** The other side has opened one. */
  arrived(channel: RTCDataChannel): void {
    const { label, ordered, maxRetransmits, maxPacketLifeTime } = channel;
    const known = this._channels.get(label);
    if (!known && this._channels.size >= CHANNELS) return channel.close();
    const reliable = maxRetransmits === null && maxPacketLifeTime === null;
    const logical = known ?? this._make(label, { reliable, ordered });
    logical.attach(channel, false);
    if (!known) this._came(logical);
  }

  close(): void {
    for (const channel of this._channels.values()) channel.close();
    this._channels.clear();
    this._own.clear();
  }

  private _make(label: string, options: Required<ChannelOptions>): PeerChannel {
    const channel = new PeerChannel(label, options, () => this._connection?.sctp?.maxMessageSize || 65_536);
    this._channels.set(label, channel);
    return channel;
  }

  private _offer(channel: PeerChannel): void {
    const { ordered, reliable } = channel.options;
    if (!this._connection) return;
    const made = this._connection.createDataChannel(channel.label, {
      ordered,
      ...(!reliable && { maxRetransmits: 0 }),
    });
    channel.attach(made, true);
  }
}
