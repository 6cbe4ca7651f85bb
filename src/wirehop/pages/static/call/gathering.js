// A room on the stage: each participant of it as tiles, with what is known of the connection.

import { joinRoom } from "../sdk/wirehop.rtc.js";
import { networkWords, quality, roundTripWords } from "./quality.js";

const OWN = "me";
const OWN_SCREEN = "me/screen";
const screenOf = (participant) => `${participant.id}/screen`;

/** `failed(error, participant)`, `changed()`, and `ended()` when the room is left, by whomever. */
export class Gathering {
  #ends = [];
  room;

  constructor({ stage, sources, client, name, me, failed, changed, ended }) {
    Object.assign(this, { stage, sources, client, name, me, failed, changed, ended });
  }

  async begin() {
    const shown = () => this.#showOwn();
    this.sources.addEventListener("change", shown);
    this.#ends.push(() => this.sources.removeEventListener("change", shown));
    this.#showOwn();
    try {
      this.room = await joinRoom(this.client, this.name, { local: this.sources.local, name: this.me });
    } catch (error) {
      this.#end();
      throw error;
    }
    const { room } = this;
    this.#ends.push(
      room.on("joined", (participant) => this.#show(participant)),
      room.on("left", (participant) => this.#remove(participant)),
      ...["track", "trackEnded", "muted", "state", "stats", "path", "budget"].map((event) => room.on(event, ({ participant }) => this.#show(participant))),
      room.on("speaking", ({ participant, speaking }) => this.stage.get(participant.id)?.update({ isSpeaking: speaking })),
      room.on("error", ({ error, participant }) => this.failed(error, participant)),
      room.on("room", ({ state }) => {
        if (state === "left") this.#end();
        else this.changed();
      }),
    );
    for (const participant of room.participants.values()) this.#show(participant);
    this.changed();
  }

  leave() {
    this.room?.leave();
  }

  get others() {
    return [...(this.room?.participants.values() ?? [])];
  }

  /** How loud we are ourselves. */
  speak(isSpeaking) {
    this.stage.get(OWN)?.update({ isSpeaking: isSpeaking && this.sources.isOn("microphone") });
  }

  #end() {
    for (const end of this.#ends.splice(0)) end();
    this.stage.clear();
    this.ended();
  }

  // ---- tiles

  #showOwn() {
    const { sources, stage } = this;
    const camera = sources.track("camera");
    const screen = sources.track("screen");
    const own = { id: this.room?.me.id ?? "", isOwn: true, name: this.me };
    stage.show(OWN, { ...own, source: "camera", title: `${this.me} (you)`, stream: this.#streamOf(OWN, camera), hasPicture: !!camera, isMirrored: sources.isMirrored, isMuted: !sources.isOn("microphone") });
    if (screen) stage.show(OWN_SCREEN, { ...own, source: "screen", title: "Your screen", stream: this.#streamOf(OWN_SCREEN, screen), hasPicture: true, isMuted: false });
    else stage.remove(OWN_SCREEN);
    this.changed();
  }

  /** The stream that is shown already, as long as it is of this track. */
  #streamOf(key, track) {
    const shown = this.stage.get(key)?.video.srcObject;
    if (!track) return null;
    return shown?.getVideoTracks()[0] === track ? shown : new MediaStream([track]);
  }

  #show(participant) {
    if (this.room.participants.get(participant.id) !== participant) return;
    const { tracks, state, stats, id, name } = participant;
    const [camera, microphone, screen] = ["camera", "microphone", "screen"].map((source) => tracks.get(source));
    this.stage.show(id, {
      id, source: "camera", name, title: name, state,
      stream: (camera ?? microphone)?.stream ?? null,
      hasPicture: !!camera,
      isMuted: !microphone || microphone.muted,
      ...((!microphone || microphone.muted) && { isSpeaking: false }),
      network: { quality: state === "connected" ? quality(stats) : "unknown", figure: stats ? roundTripWords(stats) : "", title: networkWords(participant) },
    });
    if (screen) this.stage.show(screenOf(participant), { id, source: "screen", name, title: `${name}’s screen`, stream: screen.stream, hasPicture: true, isMuted: false, state });
    else this.stage.remove(screenOf(participant));
    this.changed();
  }

  #remove(participant) {
    this.stage.remove(screenOf(participant));
    this.stage.remove(participant.id);
    this.changed();
  }
}
