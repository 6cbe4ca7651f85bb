// How loud a microphone is: from 0 to 1.

const FLOOR = 60; // decibels below full volume that count as silence

export class LevelMeter {
  #audio;
  #node;
  #source;
  #track;
  #samples = new Float32Array(1024);

  /** Listen to another track; undefined: to none. */
  listen(track) {
    if (track === this.#track) return;
    this.#track = track;
    this.#source?.disconnect();
    this.#source = undefined;
    if (!track) return;
    this.#audio ??= new AudioContext();
    this.#node ??= new AnalyserNode(this.#audio, { fftSize: this.#samples.length });
    this.#source = this.#audio.createMediaStreamSource(new MediaStream([track]));
    this.#source.connect(this.#node);
  }

  /** The level now. */
  read() {
    if (!this.#source) return 0;
    if (this.#audio.state === "suspended") this.#audio.resume().catch(() => {}); // until somebody has clicked
    this.#node.getFloatTimeDomainData(this.#samples);
    const power = this.#samples.reduce((sum, value) => sum + value * value, 0) / this.#samples.length;
    return power > 0 ? Math.max(0, Math.min(1, 1 + (10 * Math.log10(power)) / FLOOR)) : 0;
  }
}
