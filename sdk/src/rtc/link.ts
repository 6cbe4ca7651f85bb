/**
 * One pair's peer connection, driven: the negotiation says what to do, the watch when to begin again.
 *
 * A connection has a place for a microphone and one for a camera from its first offer on, whether or not something is sent:
 * then switching is by `replaceTrack`, and nothing has to be negotiated. Places for a screen and its sound come with the
 * first share. A data channel with the number 0 is there from the beginning too, so that later ones need no negotiation.
 *
 * It knows what is sent (`LocalMedia`) and hands on what comes. It does not know rooms, presence or names.
 */

import { Negotiation } from "./negotiation.js";
import { RtcError } from "./errors.js";
import type { IceServers } from "./ice.js";
import { SOURCES, type LocalMedia, type Source } from "./media.js";
import type { DropReason, NegotiationOutput, PairState, Signal } from "./signals.js";
import { IceWatch } from "./watch.js";

/** What a link tells, and needs. */
export interface LinkWorld {
  now(): number;
  /** Whether signals can be sent now. */
  isLive(): boolean;
  send(signal: Signal): void;
  opened(connection: RTCPeerConnection): void;
  /** The peer connection is gone. */
  dropped(): void;
  negotiated(state: PairState): void;
  /** ICE or DTLS is in another state. */
  changed(): void;
  received(source: Source, track: MediaStreamTrack): void;
  data(channel: RTCDataChannel): void;
  failed(error: RtcError): void;
}

const LIVE_AGAIN_SECONDS = 0.5;

export class Link {
  connection: RTCPeerConnection | undefined;
  /** Only by relays since a direct way has failed. */
  isRelayOnly = false;
  /** How often a new connection was begun because the one before failed, and ICE was restarted. */
  renewals = 0;
  restarts = 0;
  private _droppedBefore: Partial<Record<DropReason, number>> = {};
  private _negotiation: Negotiation;
  private _watch: IceWatch;
  private readonly _slots = new Map<Source, RTCRtpTransceiver>();
  private _asked = new WeakSet<RTCRtpTransceiver>();
  /** Ours in DTLS, once an answer has settled it. */
  private _role: "active" | "passive" | undefined;
  private _todo: NegotiationOutput[] = [];
  private _isWorking = false;
  private _isOver = false;
  private _timer: ReturnType<typeof setTimeout> | undefined;
  private readonly _unwatch: () => void;

  constructor(
    private readonly _me: string,
    private readonly _peer: string,
    private readonly _media: LocalMedia,
    private readonly _ice: IceServers,
    private readonly _world: LinkWorld,
  ) {
    this._negotiation = this._begin();
    this._watch = new IceWatch(_me < _peer);
    this._unwatch = _media.on("changed", ({ source }) => this._give(source));
  }

  /** The participants' ids are known to each other: offer. */
  call(): void {
    this._run((now) => this._negotiation.needed(now));
  }

  /** What came and was not used, over all connections. */
  get dropped(): Partial<Record<DropReason, number>> {
    const all = { ...this._droppedBefore };
    for (const [reason, count] of Object.entries(this._negotiation.dropped) as [DropReason, number][]) {
      all[reason] = (all[reason] ?? 0) + count;
    }
    return all;
  }

  get isNew(): boolean {
    return this._negotiation.state === "new";
  }

  received(signal: Signal): void {
    this._run((now) => this._negotiation.received(signal, now));
  }

  /** Find new paths, over the same connection. */
  async restart(): Promise<void> {
    this.restarts++;
    await this._ice.fresh();
    this.connection?.setConfiguration(this._ice.configuration(this.isRelayOnly));
    this._run((now) => this._negotiation.restart(now));
  }

  /** There are fresh credentials. */
  renewed(): void {
    try {
      this.connection?.setConfiguration(this._ice.configuration(this.isRelayOnly));
    } catch {
      // a browser that cannot: the next connection has them
    }
  }

  /** Signals can be sent again. */
  wake(): void {
    this._tick();
  }

  close(): void {
    if (this._isOver) return;
    this._run(() => this._negotiation.close());
    this._isOver = true;
    this._drop();
    this._unwatch();
    clearTimeout(this._timer);
  }

  // ---- the negotiation

  private _begin(): Negotiation {
    return new Negotiation(this._me, this._peer, () => crypto.getRandomValues(new Uint32Array(2)).join("-"));
  }

  private _run(change: (now: number) => void): void {
    if (this._isOver) return;
    change(this._world.now());
    for (const output of this._negotiation.take()) {
      if (output.do === "send") this._world.send(output.signal);
      else if (output.do === "close") this._closed(output.reason);
      else if (output.do === "state") this._agreed(output.state);
      else this._todo.push(output);
    }
    this._arm();
    if (!this._isWorking) void this._work();
  }

  private async _work(): Promise<void> {
    this._isWorking = true;
    for (let next = this._todo.shift(); next && !this._isOver; next = this._todo.shift()) {
      const { connection } = this;
      try {
        if (next.do === "open") this._open();
        else if (connection) await this._do(connection, next);
      } catch (error) {
        if (this.connection !== connection || this._isOver) continue; // of a connection that was dropped meanwhile
        const { number } = next as { number?: number };
        if (number === undefined) continue; // a candidate that cannot be used: others can
        this._world.failed(new RtcError("Negotiation", `${next.do}: ${String(error)}`));
        this._run((now) => this._negotiation.failed(number, now));
      }
    }
    this._isWorking = false;
  }

  private async _do(connection: RTCPeerConnection, output: NegotiationOutput): Promise<void> {
    switch (output.do) {
      case "make_offer": {
        this._place(connection);
        await connection.setLocalDescription(await connection.createOffer({ iceRestart: output.restart }));
        return this._described(connection, output.number);
      }
      case "make_answer": {
        await connection.setLocalDescription(await connection.createAnswer());
        this._role = roleIn(connection.localDescription!.sdp);
        return this._described(connection, output.number);
      }
      case "apply": {
        const { number, type, sdp } = output;
        await connection.setRemoteDescription({ type, sdp });
        if (type === "offer") this._adopt(connection);
        else this._role = roleIn(sdp) === "active" ? "passive" : "active";
        return this._run((now) => this._negotiation.applied(number, now));
      }
      case "add_candidate":
        if (output.candidate) await connection.addIceCandidate(output.candidate);
    }
  }

  private _described(connection: RTCPeerConnection, number: number): void {
    let { sdp } = connection.localDescription!;
    // Firefox answers a restart as `active` even where it is passive (RFC 8842 section 5.4 keeps the role): leave no choice
    if (this._role) sdp = sdp.replace(/a=setup:actpass/g, `a=setup:${this._role}`);
    this._run((now) => this._negotiation.described(number, sdp, now));
  }

  private _open(): void {
    this._drop();
    const connection = new RTCPeerConnection(this._ice.configuration(this.isRelayOnly));
    this.connection = connection;
    const current = (run: () => void) => () => {
      if (this.connection === connection) run();
    };
    connection.createDataChannel("wirehop", { negotiated: true, id: 0 });
    connection.onicecandidate = ({ candidate }) => {
      if (this.connection !== connection || candidate?.candidate === "") return; // "": of one generation; null is said
      this._run(() => this._negotiation.candidate(candidate && candidate.toJSON() as never));
    };
    connection.oniceconnectionstatechange = current(() => {
      this._watch.changed(connection.iceConnectionState, this._world.now());
      this._arm();
      this._world.changed();
    });
    connection.onconnectionstatechange = current(() => this._world.changed());
    connection.ondatachannel = ({ channel }) => this._world.data(channel);
    connection.ontrack = ({ transceiver, track }) => this._world.received(this._sourceOf(transceiver, track), track);
    this._watch.changed("new", this._world.now());
    this._world.opened(connection);
  }

  private _agreed(state: PairState): void {
    if (state === "stable") {
      this._watch.agreed(this._world.now());
      const isMissing = (source: Source) => {
        const slot = this._slots.get(source);
        if (!this._media.sent(source)) return false;
        if (!slot) return true;
        if (/send/.test(slot.currentDirection ?? "") || this._asked.has(slot)) return false;
        this._asked.add(slot); // the other side did not want it in its offer: ask once in ours
        return true;
      };
      if (SOURCES.some(isMissing)) setTimeout(() => this.call());
    }
    this._world.negotiated(state);
  }

  private _closed(reason: "closed" | "bye" | "failed"): void {
    this._drop();
    if (reason === "failed") this._watch.changed("failed", this._world.now());
  }

  private _drop(): void {
    const { connection } = this;
    this._slots.clear();
    this._role = this.connection = undefined;
    if (!connection) return;
    connection.onicecandidate = connection.ontrack = connection.ondatachannel = null;
    connection.close();
    this._watch.changed("closed", this._world.now());
    this._world.dropped();
  }

  // ---- media

  /** Places for what may be sent, before an offer. */
  private _place(connection: RTCPeerConnection): void {
    const streams = new Map<boolean, MediaStream>();
    for (const source of SOURCES) {
      const isScreen = source.startsWith("screen");
      const track = this._media.sent(source);
      if (this._slots.has(source) || (isScreen && !track)) continue;
      const stream = streams.get(isScreen) ?? new MediaStream();
      streams.set(isScreen, stream);
      const slot = connection.addTransceiver(track ?? kindOf(source), {
        direction: isScreen ? "sendonly" : "sendrecv",
        streams: [stream],
      });
      this._slots.set(source, slot);
    }
  }

  /** After an offer was taken: what we had placed for our own is gone, its places are ours too. */
  private _adopt(connection: RTCPeerConnection): void {
    const slots = connection.getTransceivers();
    for (const [source, slot] of this._slots) {
      if (slot.mid !== null) continue;
      slot.stop();
      this._slots.delete(source);
    }
    const taken = new Set(this._slots.values());
    for (const source of ["microphone", "camera"] as const) {
      if (this._slots.has(source)) continue;
      const slot = slots.find(
        (each) => each.mid !== null && !taken.has(each) && each.receiver.track.kind === kindOf(source),
      );
      if (!slot) continue;
      slot.direction = "sendrecv";
      this._slots.set(source, slot);
      this._give(source);
    }
  }

  private _sourceOf(transceiver: RTCRtpTransceiver, track: MediaStreamTrack): Source {
    const isAudio = track.kind === "audio";
    const main = isAudio ? "microphone" : "camera";
    const first = this.connection?.getTransceivers().find((each) => each.mid !== null && each.receiver.track.kind === track.kind);
    const slot = this._slots.get(main);
    const isMain = slot && slot.mid !== null ? slot === transceiver : first === transceiver;
    return isMain ? main : isAudio ? "screen-audio" : "screen";
  }

  /** Send what a source gives now. */
  private _give(source: Source): void {
    const track = this._media.sent(source);
    const slot = this._slots.get(source);
    if (slot) {
      slot.sender.replaceTrack(track).catch((error) => {
        if (this._slots.get(source) !== slot || this._isOver) return;
        this._world.failed(new RtcError("Negotiation", `${source} cannot be sent: ${String(error)}`));
      });
    } else if (track && this.connection) {
      this.call();
    }
  }

  // ---- time

  private _arm(): void {
    clearTimeout(this._timer);
    const dues = [this._negotiation.deadline(), this._watch.deadline()].filter((due) => due !== undefined) as number[];
    if (!dues.length || this._isOver) return;
    const seconds = Math.max(Math.min(...dues) - this._world.now(), 0);
    this._timer = setTimeout(() => this._tick(), seconds * 1000 + 1);
  }

  private _tick(): void {
    if (this._isOver) return;
    if (!this._world.isLive()) {
      clearTimeout(this._timer);
      this._timer = setTimeout(() => this._tick(), LIVE_AGAIN_SECONDS * 1000);
      return;
    }
    const advice = this._watch.tick(this._world.now());
    if (advice === "restart") void this.restart();
    else if (advice === "anew") void this._anew();
    this._run((now) => this._negotiation.tick(now));
  }

  /** Another connection, by relays only: no direct way was found. */
  private async _anew(): Promise<void> {
    this.renewals++;
    this.isRelayOnly = true;
    this._run(() => this._negotiation.close());
    this._todo = [];
    this._droppedBefore = this.dropped;
    this._negotiation = this._begin();
    await this._ice.fresh();
    this.call();
  }
}

function roleIn(sdp: string): "active" | "passive" {
  return /a=setup:passive/.test(sdp) ? "passive" : "active";
}

function kindOf(source: Source): "audio" | "video" {
  return source === "microphone" || source === "screen-audio" ? "audio" : "video";
}
