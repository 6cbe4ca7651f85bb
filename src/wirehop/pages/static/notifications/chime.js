// One sound for what is new, however many tabs hear of it.
//
// Whoever holds the Web Lock looks whether this revision has been sounded already, by whichever tab, and writes down that
// it is now. A browser gives a page no sound before somebody has clicked in it; such a tab does not take the turn of one
// that may.

const SHORTEST = 2_000; // milliseconds between two sounds
const NOTES = [880, 1174.7]; // hertz

export class Chime {
  played = 0; // by this tab
  #audio;

  constructor(user) {
    this.name = `wirehop.chime.${user}`;
  }

  /** Something new came, up to this revision of the inbox in this channel. */
  async ring(channel, revision) {
    if (navigator.userActivation && !navigator.userActivation.hasBeenActive) return;
    await alone(this.name, () => {
      if (!this.#isDue(channel, revision)) return;
      this.played += 1;
      this.#sound();
    });
  }

  /** Whether nobody has sounded it; from now on somebody has. */
  #isDue(channel, revision) {
    try {
      const last = JSON.parse(localStorage.getItem(this.name)) ?? {};
      const isKnown = last.channel === channel && last.revision >= revision;
      const isSoon = Math.abs(Date.now() - last.at) < SHORTEST;
      if (isKnown) return false;
      localStorage.setItem(this.name, JSON.stringify({ channel, revision, at: isSoon ? last.at : Date.now() }));
      return !isSoon;
    } catch {
      return true; // no storage: each tab for itself
    }
  }

  async #sound() {
    try {
      const audio = (this.#audio ??= new AudioContext());
      await audio.resume();
      NOTES.forEach((hertz, index) => {
        const begin = audio.currentTime + index * 0.11;
        const tone = new OscillatorNode(audio, { frequency: hertz, type: "sine" });
        const volume = new GainNode(audio, { gain: 0 });
        volume.gain.linearRampToValueAtTime(0.12, begin + 0.015);
        volume.gain.exponentialRampToValueAtTime(0.0005, begin + 0.45);
        tone.connect(volume).connect(audio.destination);
        tone.start(begin);
        tone.stop(begin + 0.5);
      });
    } catch (error) {
      console.warn("no sound:", error.message);
    }
  }
}

/** While no other tab does. Without locks (plain HTTP in a network) two tabs may do it at the same moment. */
const alone = (name, run) => (navigator.locks ? navigator.locks.request(name, run) : run());
