/**
 * A room: who is in its channel, each with a connection of their own to us.
 *
 * Being in a room is being subscribed to its channel; presence says who else is. Who comes offers to those who are there;
 * those who see somebody come wait a moment for that. Signals go as `rtc.signal`, and come as calls of the server; on
 * whichever wire the session is does not matter. A session that begins anew is another participant: everything is joined
 * again.
 */

import type { Channel } from "../channel.js";
import type { Client } from "../client.js";
import { Emitter } from "../emitter.js";
import type { ClientInfo } from "../messages.js";
import type { JoinBudget } from "./budget.js";
import type { PeerChannel } from "./channels.js";
import { refused, RtcError } from "./errors.js";
import { IceServers } from "./ice.js";
import { LocalMedia, SOURCES, type Source, type SourceState, type Wanted } from "./media.js";
import { preflight, type PreflightReport } from "./preflight.js";
import { Participant, type InfoSignal, type ParticipantInfo, type ParticipantState, type RemoteTrack } from "./participant.js";
import type { Path, PeerStats } from "./statistics.js";
import { Speakers } from "./speaking.js";

export interface JoinOptions {
  /** Microphone and camera from the beginning: `true`, a device's id, constraints, or a track of one's own. */
  audio?: Wanted;
  video?: Wanted;
  /** What to be called; without it what the server knows. */
  name?: string;
  /** Goes to the others with the name. */
  info?: unknown;
  /** `relay`: only by TURN, which hides addresses. */
  iceTransportPolicy?: RTCIceTransportPolicy;
  /** Sources that are on already, from a preview: the room takes them over. */
  local?: LocalMedia;
}

export interface Me {
  /** Changes when the session begins anew. */
  id: string;
  name: string;
}

export type RoomState = "joining" | "joined" | "offline" | "left";

export interface RoomEvents {
  joined: Participant;
  left: Participant;
  track: RemoteTrack & { participant: Participant };
  trackEnded: RemoteTrack & { participant: Participant };
  /** `track.muted` has changed. */
  muted: RemoteTrack & { participant: Participant };
  state: { participant: Participant; state: ParticipantState };
  /** Of the room itself. `rejoined`: with a new session, all participants are made anew. */
  room: { state: RoomState; rejoined: boolean };
  speaking: { participant: Participant; speaking: boolean; level: number };
  stats: { participant: Participant; stats: PeerStats };
  path: { participant: Participant; path: Path };
  budget: { participant: Participant; budget: JoinBudget };
  /** The other side has opened a data channel. */
  data: { participant: Participant; channel: PeerChannel };
  error: { error: RtcError; participant: Participant | undefined };
}

const STATS_MILLISECONDS = 2000;
const LEVEL_MILLISECONDS = 150;
/** Who sees somebody come waits so long for the offer. */
const CALL_MILLISECONDS = 2500;
/** Participants at most: each is a connection of its own. The others are in the room, and not connected. */
const MOST_PARTICIPANTS = 32;

export class Room extends Emitter<RoomEvents> {
  state: RoomState = "joining";
  readonly participants = new Map<string, Participant>();
  readonly local: LocalMedia;
  /** The room's channel, for chat and the like. */
  channel!: Channel;
  readonly me: Me;
  /** Signals that were not for us, or of a kind that nobody knows. */
  dropped = 0;
  private readonly _ice: IceServers;
  private readonly _ends: (() => void)[] = [];
  private readonly _timers: ReturnType<typeof setInterval>[] = [];
  private readonly _speakers = new Speakers();
  private readonly _calls = new Set<ReturnType<typeof setTimeout>>();
  private _began = now();

  /** @internal */
  constructor(
    private readonly _client: Client,
    readonly name: string,
    private readonly _options: JoinOptions,
  ) {
    super();
    this.me = { id: "", name: _options.name ?? "" };
    this.local = _options.local ?? new LocalMedia();
    this._ice = new IceServers(
      _client,
      name,
      _options.iceTransportPolicy,
      now,
      () => this.participants.forEach((each) => each.renewed()),
      (error) => this._fail(error),
    );
  }

  /** @internal Resolves when the room is joined; others may still be connecting. */
  enter(): Promise<void> {
    listen(this._client, this.name, this);
    const channel = (this.channel = this._client.channel(this.name, { joinLeave: true }));
    return new Promise((done, fail) => {
      const refuse = (error: RtcError) => {
        fail(error);
        this.leave();
      };
      this._ends.push(
        channel.on("subscribed", () => this._subscribed().then(done, refuse)),
        channel.on("unsubscribed", ({ code, reason }) => {
          refuse(new RtcError("NotInRoom", `${this.name}: ${reason || "unsubscribed"}`, code || 103));
        }),
        channel.on("join", (info) => this._join(info)),
        channel.on("leave", (info) => this._gone(info.client ?? "")),
        this._client.on("state", ({ state, code, reason }) => {
          if (state === "live") this.participants.forEach((each) => each.wake());
          if (state === "closed") refuse(new RtcError("Closed", reason, code));
          else if (state === "offline" && this.state === "joined") this._is("offline");
          else if (state === "live" && this.state === "offline") this._is("joined");
        }),
        this.local.on("changed", () => this.participants.forEach((each) => each.introduce())),
      );
      this._timers.push(
        setInterval(() => this._measure(), STATS_MILLISECONDS),
        setInterval(() => this._listen(), LEVEL_MILLISECONDS),
      );
      if (channel.isLive) this._subscribed().then(done, refuse);
    });
  }

  /** Whether a call can work from here: each way to a relay, with what to change where it fails. */
  preflight(): Promise<PreflightReport> {
    return preflight(this._client, this.name);
  }

  /** Leave: connections are closed, devices are free, the channel is unsubscribed. */
  leave(): void {
    if (this.state === "left") return;
    for (const id of [...this.participants.keys()]) this._gone(id);
    this._is("left");
    for (const end of this._ends) end();
    for (const timer of this._timers) clearInterval(timer);
    this._calls.forEach(clearTimeout);
    this._ice.close();
    this.local.close();
    unlisten(this._client, this.name, this);
    this.channel.unsubscribe();
  }

  // ---- who is here

  private async _subscribed(): Promise<void> {
    const { id } = this._client;
    if (this.state === "left" || this.me.id === id) return;
    const rejoined = this.me.id !== "";
    if (rejoined) {
      this._began = now();
      for (const each of [...this.participants.keys()]) this._gone(each);
    }
    this.me.id = id;
    const [present] = await Promise.all([this.channel.presence().catch(() => ({})), this._ice.fetch()]);
    if (this._client.id !== id || (this.state as RoomState) === "left") return;
    this._is("joined", rejoined);
    for (const info of Object.values(present)) this._join(info)?.call();
  }

  private _join(info: ClientInfo): Participant | undefined {
    const participant = this._participant(info.client ?? "");
    participant?.known(info);
    return participant;
  }

  /** Who has this id; somebody unknown has just come. */
  private _participant(id: string): Participant | undefined {
    const known = this.participants.get(id);
    if (known || !id || !this.me.id || id === this.me.id || this.state === "left") return known;
    if (this.participants.size >= MOST_PARTICIPANTS) {
      this._fail(new RtcError("LimitExceeded", `${id} is not connected: ${MOST_PARTICIPANTS} others are`));
      return undefined;
    }
    const participant = new Participant(id, this._world(), this.state === "joined" ? now() : this._began);
    this.participants.set(id, participant);
    participant.introduce();
    const timer = setTimeout(() => {
      this._calls.delete(timer);
      if (this.participants.get(id) === participant) participant.call();
    }, CALL_MILLISECONDS);
    this._calls.add(timer);
    this.emit("joined", participant);
    return participant;
  }

  private _gone(id: string): void {
    const participant = this.participants.get(id);
    if (!participant) return;
    this.participants.delete(id);
    this._speakers.forget(id);
    participant.close();
    this.emit("left", participant);
  }

  private _is(state: RoomState, rejoined = false): void {
    if (state === this.state && !rejoined) return;
    this.state = state;
    this.emit("room", { state, rejoined });
  }

  // ---- signals

  /** @internal */
  heard(from: string, signal: InfoSignal): void {
    const participant = signal?.bye ? this.participants.get(from) : this._participant(from);
    if (!participant || !signal || typeof signal !== "object") this.dropped++;
    else participant.received(signal);
  }

  private _send(participant: Participant, signal: InfoSignal): void {
    const { id } = participant;
    this._client.rpc("rtc.signal", { channel: this.name, to: id, signal }).catch((error: unknown) => {
      if (this.participants.get(id) !== participant) return;
      const failure = refused(error, `${participant.name} was not told`);
      if (failure.name === "NoSuchParticipant") return; // presence will say so
      participant.unheard();
      this._fail(failure, participant);
    });
  }

  private _info(): ParticipantInfo {
    const { name, info } = this._options;
    const sources: Partial<Record<Source, SourceState>> = {};
    for (const source of SOURCES) {
      const state = this.local.state(source);
      if (state !== "off") sources[source] = state;
    }
    return { ...(name && { name }), ...(info !== undefined && { data: info }), sources };
  }

  private _world() {
    return {
      me: this.me.id,
      media: this.local,
      ice: this._ice,
      now,
      isLive: () => this._client.state === "live" || this._client.state === "catching-up",
      send: (participant: Participant, signal: InfoSignal) => this._send(participant, signal),
      info: () => this._info(),
      tell: (event: "track" | "trackEnded" | "muted", participant: Participant, track: RemoteTrack) =>
        this.emit(event, { ...track, participant }),
      state: (participant: Participant) => this.emit("state", { participant, state: participant.state }),
      path: (participant: Participant, path: Path) => this.emit("path", { participant, path }),
      budget: (participant: Participant, budget: JoinBudget) => this.emit("budget", { participant, budget }),
      data: (participant: Participant, channel: PeerChannel) => this.emit("data", { participant, channel }),
      failed: (error: RtcError, participant: Participant) => this._fail(error, participant),
    };
  }

  private _fail(error: RtcError, participant?: Participant): void {
    this.emit("error", { error, participant });
  }

  // ---- what is measured

  private _measure(): void {
    for (const participant of this.participants.values()) {
      participant.measure().then(
        (isThere) => isThere && this.emit("stats", { participant, stats: participant.stats! }),
        () => undefined, // the connection was closed meanwhile
      );
    }
  }

  private _listen(): void {
    for (const participant of this.participants.values()) {
      const level = participant.level();
      if (!this._speakers.heard(participant.id, level, now())) continue;
      this.emit("speaking", { participant, speaking: this._speakers.isSpeaking(participant.id), level });
    }
  }
}

/** The rooms of each client: calls of the server go to the one they are for. */
const rooms = new WeakMap<Client, Map<string, Room>>();

function listen(client: Client, name: string, room: Room): void {
  let joined = rooms.get(client);
  if (!joined) {
    rooms.set(client, (joined = new Map()));
    const here = joined;
    client.handle<{ channel: string; from: string; signal: InfoSignal }>("rtc.signal", ({ channel, from, signal }) => {
      here.get(channel)?.heard(from, signal);
      return null;
    });
  }
  if (joined.has(name)) throw new RtcError("Signaling", `${name} is joined already by this client`, 105);
  joined.set(name, room);
}

function unlisten(client: Client, name: string, room: Room): void {
  const joined = rooms.get(client);
  if (joined?.get(name) === room) joined.delete(name);
}

function now(): number {
  return performance.now() / 1000;
}

/** Join a room. It resolves when we are in it; a device that cannot be had is an `error` event, not a failure. */
export async function joinRoom(client: Client, name: string, options: JoinOptions = {}): Promise<Room> {
  const room = new Room(client, name, options);
  const failures: RtcError[] = [];
  const open = async (wanted: Wanted | undefined, set: (wanted: Wanted) => Promise<void>) => {
    if (wanted) await set(wanted).catch((error: RtcError) => failures.push(error));
  };
  await Promise.all([
    open(options.audio, (wanted) => room.local.setMicrophone(wanted)),
    open(options.video, (wanted) => room.local.setCamera(wanted)),
  ]);
  await room.enter();
  // the page listens only when it has the room
  setTimeout(() => failures.forEach((error) => room.emit("error", { error, participant: undefined })));
  return room;
}
