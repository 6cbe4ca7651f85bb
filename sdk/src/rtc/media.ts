/**
 * What this page gives: microphone, camera, screen. One track of each at most, which every connection sends.
 *
 * It knows devices and says what changed; it knows no connections. A track of the page's own (a canvas, a file) is taken
 * as it is and not stopped. A microphone that is muted keeps its device, so that it is back at once; nothing is sent of it.
 * A camera that is off is let go of.
 */

import { Emitter } from "../emitter.js";
import { deviceError, RtcError } from "./errors.js";

export type Source = "microphone" | "camera" | "screen" | "screen-audio";
export const SOURCES: readonly Source[] = ["microphone", "camera", "screen", "screen-audio"];
/** `muted`: there, and nothing is sent of it for now. */
export type SourceState = "on" | "muted" | "off";
/** Yes, no, the id of a device, what it must be like, or a track of the page's own. */
export type Wanted = boolean | string | MediaTrackConstraints | MediaStreamTrack;

export interface Devices {
  microphones: MediaDeviceInfo[];
  cameras: MediaDeviceInfo[];
  speakers: MediaDeviceInfo[];
}

export interface LocalMediaEvents {
  /** A source is on, muted or off now. `byUser`: not asked for by the page (the browser's own button, a pulled plug). */
  changed: { source: Source; state: SourceState; track: MediaStreamTrack | undefined; byUser: boolean };
  /** Devices have come or gone. */
  devices: Devices;
}

interface Held {
  track: MediaStreamTrack;
  isOwn: boolean;
  isMuted: boolean;
  unwatch: () => void;
}

export class LocalMedia extends Emitter<LocalMediaEvents> {
  private readonly _held = new Map<Source, Held>();
  private readonly _turns = new Map<Source, Promise<unknown>>();
  private readonly _end: () => void;
  private _isOver = false;

  /** @internal */
  constructor(private readonly _devices: MediaDevices | undefined = globalThis.navigator?.mediaDevices) {
    super();
    const told = () => void this.devices().then((found) => this.emit("devices", found));
    this._devices?.addEventListener?.("devicechange", told);
    this._end = () => this._devices?.removeEventListener?.("devicechange", told);
  }

  /** The track of a source, muted or not: for previews and level meters. */
  track(source: Source): MediaStreamTrack | undefined {
    return this._held.get(source)?.track;
  }

  state(source: Source): SourceState {
    const held = this._held.get(source);
    return held ? (held.isMuted ? "muted" : "on") : "off";
  }

  /** @internal What is to be sent of a source now. */
  sent(source: Source): MediaStreamTrack | null {
    const held = this._held.get(source);
    return held && !held.isMuted ? held.track : null;
  }

  /** On, muted (false), or another device (its id). Changing is by replacing: nothing is negotiated. */
  setMicrophone(wanted: Wanted): Promise<void> {
    return this._inTurn("microphone", async () => {
      const held = this._held.get("microphone");
      if (wanted === false) {
        if (held && !held.isMuted) this._mute(held, true);
      } else if (wanted === true && held) {
        if (held.isMuted) this._mute(held, false);
      } else {
        this._hold("microphone", await this._open("microphone", wanted), !isTrack(wanted));
      }
    });
  }

  /** On, off (false: the device is free again), or another device. */
  setCamera(wanted: Wanted): Promise<void> {
    return this._inTurn("camera", async () => {
      if (wanted === false) this._release("camera");
      else if (wanted !== true || !this._held.has("camera")) {
        this._hold("camera", await this._open("camera", wanted), !isTrack(wanted));
      }
    });
  }

  /** Share a screen, window or tab; the user chooses. `audio`: its sound too, where the browser can. */
  shareScreen({ audio = false, video = true }: { audio?: boolean; video?: Wanted } = {}): Promise<void> {
    return this._inTurn("screen", async () => {
      if (isTrack(video)) return this._hold("screen", video, false);
      if (!this._devices?.getDisplayMedia) throw new RtcError("NotSupported", "this browser cannot share a screen");
      let stream: MediaStream;
      try {
        const wanted = { video: video === false ? true : (video as MediaTrackConstraints | boolean), audio };
        stream = await this._devices.getDisplayMedia(wanted);
      } catch (error) {
        throw deviceError(error, "screen");
      }
      const [picture] = stream.getVideoTracks();
      const [sound] = stream.getAudioTracks();
      if (picture) this._hold("screen", picture, true);
      if (sound) this._hold("screen-audio", sound, true);
      else this._release("screen-audio");
    });
  }

  /** Share no more. */
  stopScreen(): Promise<void> {
    return this._inTurn("screen", async () => this._stopScreen(false));
  }

  /** What can be chosen. Labels are empty until a device was allowed. */
  async devices(): Promise<Devices> {
    const found = (await this._devices?.enumerateDevices()) ?? [];
    const kind = (wanted: MediaDeviceKind) => found.filter((each) => each.kind === wanted);
    return { microphones: kind("audioinput"), cameras: kind("videoinput"), speakers: kind("audiooutput") };
  }

  /** Let go of every device. */
  close(): void {
    this._isOver = true;
    this._end();
    for (const source of SOURCES) this._release(source);
  }

  // ---- inside

  /** One change of a source at a time: a slow device does not overtake what was asked after it. */
  private _inTurn(source: Source, change: () => Promise<void>): Promise<void> {
    const turn = (this._turns.get(source) ?? Promise.resolve()).then(() => {
      if (this._isOver) throw new RtcError("Closed", "the room was left");
      return change();
    });
    this._turns.set(source, turn.catch(() => undefined));
    return turn;
  }

  private async _open(source: "microphone" | "camera", wanted: Exclude<Wanted, false>): Promise<MediaStreamTrack> {
    if (isTrack(wanted)) return wanted;
    if (!this._devices?.getUserMedia) {
      throw new RtcError("NotSupported", `${source}: a page has devices on HTTPS and localhost only`);
    }
    const asked = typeof wanted === "string" ? { deviceId: { exact: wanted } } : wanted;
    try {
      const stream = await this._devices.getUserMedia(source === "camera" ? { video: asked } : { audio: asked });
      return stream.getTracks()[0]!;
    } catch (error) {
      throw deviceError(error, source);
    }
  }

  private _hold(source: Source, track: MediaStreamTrack, isOwn: boolean): void {
    if (this._isOver) {
      if (isOwn) track.stop();
      return;
    }
    const before = this._held.get(source);
    const ended = () => {
      if (this._held.get(source)?.track !== track) return;
      if (source === "screen") this._stopScreen(true);
      else this._release(source, true);
    };
    track.addEventListener("ended", ended);
    const unwatch = () => track.removeEventListener("ended", ended);
    this._held.set(source, { track, isOwn, isMuted: false, unwatch });
    this._tell(source);
    if (before && before.track !== track) letGo(before);
    else before?.unwatch();
  }

  private _mute(held: Held, isMuted: boolean): void {
    held.isMuted = isMuted;
    this._tell("microphone");
  }

  private _stopScreen(byUser: boolean): void {
    this._release("screen", byUser);
    this._release("screen-audio", byUser);
  }

  private _release(source: Source, byUser = false): void {
    const held = this._held.get(source);
    if (!held) return;
    this._held.delete(source);
    letGo(held);
    this._tell(source, byUser);
  }

  private _tell(source: Source, byUser = false): void {
    this.emit("changed", { source, state: this.state(source), track: this.track(source), byUser });
  }
}

function letGo(held: Held): void {
  held.unwatch();
  if (held.isOwn) held.track.stop();
}

function isTrack(wanted: Wanted): wanted is MediaStreamTrack {
  return typeof wanted === "object" && "kind" in wanted && "readyState" in wanted;
}
