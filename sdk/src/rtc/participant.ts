/** Somebody else in a room, as a page holds it: who it is, what comes from there, how, and how well. */

import type { ClientInfo } from "../messages.js";
import { BudgetMarks, type JoinBudget } from "./budget.js";
import { PeerChannels, type ChannelOptions, type PeerChannel } from "./channels.js";
import type { RtcError } from "./errors.js";
import type { IceServers } from "./ice.js";
import { Link } from "./link.js";
import { SOURCES, type LocalMedia, type Source, type SourceState } from "./media.js";
import type { DropReason, Signal } from "./signals.js";
import { pathOf, sample, type Path, type PeerStats, type RelayProtocol, type Sample } from "./statistics.js";

export type ParticipantState = "connecting" | "connected" | "reconnecting" | "failed" | "closed";

/** What somebody sends, as it is received. */
export interface RemoteTrack {
  source: Source;
  track: MediaStreamTrack;
  /** For an element's `srcObject`: microphone and camera are in one stream, a screen and its sound in another. */
  stream: MediaStream;
  /** Nothing is sent of it for now. */
  muted: boolean;
}

/** What participants tell each other beside descriptions: `{instance, info}` as a signal, all of it each time. */
export interface ParticipantInfo {
  name?: string;
  data?: unknown;
  /** What is sent; what is absent is off. */
  sources?: Partial<Record<Source, SourceState>>;
  /** The sender reaches the other side by its own TURN server, so. */
  relay?: RelayProtocol;
}

/** @internal */
export type InfoSignal = Signal & { info?: ParticipantInfo };

/** @internal What a participant needs of its room, and tells it. */
export interface ParticipantWorld {
  me: string;
  media: LocalMedia;
  ice: IceServers;
  now(): number;
  isLive(): boolean;
  send(participant: Participant, signal: InfoSignal): void;
  /** What is to be said of us. */
  info(): ParticipantInfo;
  tell(event: "track" | "trackEnded" | "muted", participant: Participant, track: RemoteTrack): void;
  state(participant: Participant): void;
  path(participant: Participant, path: Path): void;
  budget(participant: Participant, budget: JoinBudget): void;
  data(participant: Participant, channel: PeerChannel): void;
  failed(error: RtcError, participant: Participant): void;
}

/** While the first frame is awaited, how often it is looked for, and how long. */
const FRAME_MILLISECONDS = 60;
const FRAME_SECONDS = 15;
/** After a signal was refused all is said again, after this and then ever longer. */
const RETRY_SECONDS = 2;
const LONGEST_RETRY_SECONDS = 32;

export class Participant {
  state: ParticipantState = "connecting";
  /** What the server says of the connection (`conn_info`), or the participant itself (the option `info`). */
  info: unknown;
  /** What is received now. */
  readonly tracks = new Map<Source, RemoteTrack>();
  path: Path | undefined;
  stats: PeerStats | undefined;
  budget: JoinBudget | undefined;
  private _name = "";
  private _user = "";
  private _said: ParticipantInfo | undefined;
  private _told = "";
  private _wasConnected = false;
  private _sample: Sample | undefined;
  private _marks = new BudgetMarks();
  private _instance = "";
  private _theirs = "";
  private _retry = RETRY_SECONDS;
  private _timer: ReturnType<typeof setTimeout> | undefined;
  private readonly _received = new Map<Source, MediaStreamTrack>();
  private readonly _streams = [new MediaStream(), new MediaStream()] as const;
  private readonly _channels: PeerChannels;
  private readonly _link: Link;

  /** @internal */
  constructor(
    readonly id: string,
    private readonly _world: ParticipantWorld,
    began: number,
  ) {
    const { me, media, ice, now, isLive } = _world;
    this._channels = new PeerChannels((channel) => _world.data(this, channel));
    this._marks.mark("began", began);
    this._link = new Link(me, id, media, ice, {
      now,
      isLive,
      send: (signal) => {
        this._instance = signal.instance;
        if (signal.offer || signal.answer) this._marks.mark("described", now());
        if (signal.candidate) this._marks.mark("candidate", now());
        _world.send(this, signal);
      },
      opened: (connection) => this._channels.opened(connection),
      dropped: () => this._dropped(),
      negotiated: (state) => {
        if (state !== "stable") return;
        this._retry = RETRY_SECONDS;
        this._marks.mark("agreed", now());
      },
      changed: () => this._changed(),
      received: (source, track) => this._take(source, track),
      data: (channel) => this._channels.arrived(channel),
      failed: (error) => _world.failed(error, this),
    });
  }

  /** The user that the server knows; empty for somebody anonymous. */
  get user(): string {
    return this._user;
  }

  /** What to call them. */
  get name(): string {
    return this._name || this._user || this.id;
  }

  /** The peer connection, for what the SDK does not offer. It is another one after each reconnect. */
  get connection(): RTCPeerConnection | undefined {
    return this._link.connection;
  }

  /** How often ICE was restarted, and how often the connection was made anew. */
  get repairs(): { restarts: number; renewals: number } {
    const { restarts, renewals } = this._link;
    return { restarts, renewals };
  }

  /** Signals that came and were not used, by reason. */
  get dropped(): Partial<Record<DropReason, number>> {
    return this._link.dropped;
  }

  /** A data channel; both have it, whoever asks first. `reliable` false: what is lost is not sent again. */
  channel(label: string, options?: ChannelOptions): PeerChannel {
    return this._channels.get(label, options);
  }

  /** Find new paths now. */
  restart(): Promise<void> {
    return this._link.restart();
  }

  // ---- what the room does with it

  /** @internal */
  known(info: ClientInfo): void {
    this._user = info.user ?? this._user;
    const said = info.conn_info as { name?: unknown } | undefined;
    this.info ??= said;
    if (!this._name && typeof said?.name === "string") this._name = said.name;
  }

  /** @internal Offer, unless something is under way. */
  call(): void {
    if (this._link.isNew) this._link.call();
  }

  /** @internal Say what is sent, and who we are. */
  introduce(): void {
    const info = this._world.info();
    const local = this.path?.local;
    if (local?.type === "relay") info.relay = local.relay ?? "udp";
    const text = JSON.stringify(info);
    if (text === this._told) return;
    this._told = text;
    this._world.send(this, { instance: this._instance, info });
  }

  /** @internal */
  received(signal: InfoSignal): void {
    if (!signal.info) {
      if (signal.instance !== this._theirs && (signal.offer || signal.answer || signal.restart)) {
        this._theirs = signal.instance;
        this._told = ""; // perhaps nobody was listening there before
        this.introduce();
      }
      return this._link.received(signal);
    }
    const { name, data } = signal.info;
    this._said = signal.info;
    if (typeof name === "string" && name) this._name = name;
    if (data !== undefined) this.info = data;
    for (const source of SOURCES) this._settle(source);
    this._measured();
  }

  /** @internal A signal of ours was refused: begin again, not at once. */
  unheard(): void {
    if (this._timer !== undefined || this.state === "closed") return;
    this._timer = setTimeout(() => {
      this._timer = undefined;
      this._told = "";
      this.introduce();
      void this._link.restart();
    }, this._retry * 1000);
    this._retry = Math.min(2 * this._retry, LONGEST_RETRY_SECONDS);
  }

  /** @internal */
  renewed(): void {
    this._link.renewed();
  }

  /** @internal */
  wake(): void {
    this._link.wake();
  }

  /** @internal */
  close(): void {
    clearTimeout(this._timer);
    this._is("closed");
    this._link.close();
    this._channels.close();
  }

  /** @internal The level of the voice now, 0 to 1. */
  level(): number {
    const [receiver] = this.connection?.getReceivers().filter((each) => each.track === this._received.get("microphone")) ?? [];
    if (!receiver?.getSynchronizationSources) return 0;
    return receiver.getSynchronizationSources().reduce((top, each) => Math.max(top, each.audioLevel ?? 0), 0);
  }

  /** @internal Measure. False: there is nothing yet. */
  async measure(): Promise<boolean> {
    const { connection } = this;
    if (!connection) return false;
    const report = await connection.getStats();
    if (this.connection !== connection) return false;
    this._sample = sample(report as never, this._sample);
    this.stats = this._sample.stats;
    this.stats.dtls ??= connection.sctp?.transport.state;
    this._measured();
    return true;
  }

  // ---- inside

  private _measured(): void {
    const path = this.stats && pathOf(this.stats, this._said?.relay);
    if (!path) return;
    const isNew = JSON.stringify(path) !== JSON.stringify(this.path);
    this.path = path;
    if (isNew) this._world.path(this, path);
    this.introduce(); // how we reach our relay is part of it
  }

  private _changed(): void {
    const { connection } = this;
    if (!connection) return;
    const now = this._world.now();
    const { iceConnectionState: ice, connectionState: whole } = connection;
    const isIce = ice === "connected" || ice === "completed";
    if (ice === "checking") this._marks.mark("checking", now);
    if (isIce) this._marks.mark("connected", now);
    if (isIce && whole === "connected") {
      if (!this._marks.has("secured")) {
        this._marks.mark("secured", now);
        void this._awaitFrame(connection);
      }
      this._wasConnected = true;
      this._is("connected");
      void this.measure().catch(() => undefined);
    } else if (ice === "failed" || whole === "failed") {
      this._is("failed");
    } else if (!isIce) {
      this._is(this._wasConnected ? "reconnecting" : "connecting");
    }
  }

  private _dropped(): void {
    this._channels.dropped();
    this._received.clear();
    this._sample = undefined;
    this.path = undefined;
    for (const source of SOURCES) this._settle(source);
    if (this.state === "connected") this._is("reconnecting");
  }

  private _is(state: ParticipantState): void {
    if (state === this.state || this.state === "closed") return;
    this.state = state;
    this._world.state(this);
  }

  private _take(source: Source, track: MediaStreamTrack): void {
    this._received.set(source, track);
    track.onunmute = () => this._settle(source);
    this._settle(source);
  }

  /** A source is there if it is received, and said to be; from those who say nothing, when something comes. */
  private _settle(source: Source): void {
    const track = this._received.get(source);
    const state = this._said?.sources ? (this._said.sources[source] ?? "off") : track?.muted ? "off" : "on";
    const known = this.tracks.get(source);
    const isThere = track && (state !== "off" || (!this._said?.sources && known));
    if (known && (!isThere || known.track !== track)) {
      this.tracks.delete(source);
      known.stream.removeTrack(known.track);
      this._world.tell("trackEnded", this, known);
    }
    if (!isThere) return;
    const muted = state === "muted";
    const now = this.tracks.get(source);
    if (!now) {
      const stream = this._streams[source.startsWith("screen") ? 1 : 0];
      stream.addTrack(track);
      const found = { source, track, stream, muted };
      this.tracks.set(source, found);
      this._world.tell("track", this, found);
    } else if (now.muted !== muted) {
      now.muted = muted;
      this._world.tell("muted", this, now);
    }
  }

  /** Until the first frame is decoded; without video, until the first packet is there. */
  private async _awaitFrame(connection: RTCPeerConnection): Promise<void> {
    const until = this._world.now() + FRAME_SECONDS;
    while (this.connection === connection && this._world.now() < until) {
      const { stats } = sample((await connection.getStats()) as never, undefined);
      const isVideo = this.tracks.has("camera") || this.tracks.has("screen");
      if (isVideo ? stats.framesDecoded : stats.packetsIn) {
        this._marks.mark("frame", this._world.now());
        break;
      }
      await new Promise((done) => setTimeout(done, FRAME_MILLISECONDS));
    }
    if (this.connection !== connection) return;
    this.budget = this._marks.budget();
    this._world.budget(this, this.budget);
  }
}
