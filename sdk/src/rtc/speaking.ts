/** Who speaks: audio levels in, changes out. Pure. */

/** Of a level from 0 to 1: from here on somebody speaks, and below there they do not. */
const LOUD = 0.03;
const QUIET = 0.015;
/** So long it has to be loud (a click is not speech), and so long a pause may be. */
const RISE_SECONDS = 0.15;
const HOLD_SECONDS = 0.8;

interface Voice {
  isSpeaking: boolean;
  /** Loud since, or quiet since. */
  since: number | undefined;
}

export class Speakers {
  private readonly _voices = new Map<string, Voice>();

  isSpeaking(id: string): boolean {
    return !!this._voices.get(id)?.isSpeaking;
  }

  /** A level; whether somebody has begun or stopped with it. */
  heard(id: string, level: number, now: number): boolean {
    let voice = this._voices.get(id);
    if (!voice) this._voices.set(id, (voice = { isSpeaking: false, since: undefined }));
    const isTurning = voice.isSpeaking ? level < QUIET : level >= LOUD;
    if (!isTurning) {
      voice.since = undefined;
      return false;
    }
    voice.since ??= now;
    if (now - voice.since < (voice.isSpeaking ? HOLD_SECONDS : RISE_SECONDS)) return false;
    voice.isSpeaking = !voice.isSpeaking;
    voice.since = undefined;
    return true;
  }

  forget(id: string): void {
    this._voices.delete(id);
  }
}
