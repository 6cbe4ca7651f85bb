// What this page gives: which camera, microphone and speaker were chosen, what is on, and why something is not.
//
// A choice is the id of a device, `""` for the browser's own choice, or GENERATED. It wraps the SDK's `LocalMedia`,
// which is another one after each call.

import { LocalMedia } from "../sdk/wirehop.rtc.js";
import { memory } from "../ui.js";
import { Generated } from "./generated.js";

export const GENERATED = "generated";
export const CAN_CHOOSE_SPEAKER = "setSinkId" in HTMLMediaElement.prototype;
const HELP = "You can join without, or show a test picture.";

/** It fires `change` when a source goes on or off, and `devices` when there are others to choose from. */
export class Sources extends EventTarget {
  failures = new Map(); // source → why it is not on
  #generated = new Generated();
  #open = { camera: "", microphone: "" }; // the choice that is open now
  #ends = [];

  constructor(name, { isGenerated }) {
    super();
    this.name = name;
    const chosen = (kind) => (isGenerated ? GENERATED : memory.read(`call.${kind}`, ""));
    this.chosen = { camera: chosen("camera"), microphone: chosen("microphone"), speaker: memory.read("call.speaker", "") };
    this.renew();
  }

  /** Begin anew after a call: the room has let go of everything. */
  renew() {
    for (const end of this.#ends) end();
    for (const source of ["camera", "screen", "microphone"]) this.#generated.stop(source);
    this.local = new LocalMedia();
    this.#ends = [
      this.local.on("changed", ({ source, state, byUser }) => {
        if (state === "off" && source !== "screen-audio") this.#generated.stop(source);
        if (byUser && source !== "screen" && source !== "screen-audio") this.failures.set(source, `The ${source} is gone.`);
        this.#tell("change");
      }),
      this.local.on("devices", () => this.#tell("devices")),
    ];
  }

  isOn(source) {
    return this.local.state(source) === "on";
  }

  track(source) {
    return this.local.track(source);
  }

  /** A picture of oneself is shown as in a mirror; what can be read is not. */
  get isMirrored() {
    return !this.#generated.isMaking("camera");
  }

  /** Switch the camera or the microphone. Never rejects: `failures` says what went wrong. */
  async set(source, isWanted) {
    this.failures.delete(source);
    try {
      await this.#set(source, isWanted);
    } catch (error) {
      this.failures.set(source, `${failureWords(error, source)} ${HELP}`);
    }
    this.#tell("change");
  }

  async #set(source, isWanted) {
    const put = (wanted) => (source === "camera" ? this.local.setCamera(wanted) : this.local.setMicrophone(wanted));
    if (!isWanted) return put(false);
    const choice = this.chosen[source];
    const isThere = this.local.state(source) !== "off" && this.#open[source] === choice;
    if (isThere) return put(true);
    if (choice === GENERATED) {
      await put(this.#generated.track(source, this.name));
    } else {
      await this.#device(put, choice, source);
      this.#generated.stop(source);
    }
    this.#open[source] = choice;
  }

  /** The device that was chosen; where it is not there any more, any. */
  async #device(put, choice) {
    try {
      return await put(choice || true);
    } catch (error) {
      if (!choice || error.name !== "DeviceMissing") throw error;
      return put(true);
    }
  }

  /** Another device. It is opened now if the source is on, else when it is switched on: what is muted stays muted. */
  async choose(kind, choice) {
    this.chosen[kind] = choice;
    memory.write(`call.${kind}`, choice);
    if (kind !== "speaker" && (this.isOn(kind) || this.failures.has(kind))) await this.set(kind, true);
    this.#tell("devices");
  }

  /** Show the screen, or what stands for one where everything is generated. Rejects with an `RtcError`. */
  async share(isWanted) {
    if (!isWanted) return this.local.stopScreen();
    if (this.chosen.camera === GENERATED) return this.local.shareScreen({ video: this.#generated.track("screen", this.name) });
    return this.local.shareScreen({ audio: true });
  }

  /** Whoever is called otherwise has other pictures. */
  async rename(name) {
    this.name = name;
    for (const source of ["camera", "microphone"]) {
      if (!this.#generated.isMaking(source) || !this.isOn(source)) continue;
      this.#open[source] = "";
      await this.set(source, true);
    }
  }

  #tell(event) {
    this.dispatchEvent(new Event(event));
  }
}

/** Why a device was not had, for a person. */
export function failureWords(error, what) {
  const known = {
    DeviceForbidden: `The browser does not give this page the ${what}: it was not allowed.`,
    DeviceMissing: `There is no ${what}.`,
    DeviceBusy: `The ${what} is in use by another program.`,
    NotSupported: `This browser, or a page on plain HTTP, has no ${what}.`,
  };
  return known[error.name] ?? `The ${what} does not start: ${error.message}.`;
}
