/**
 * Typed events. A listener gets the event's value; one that throws is reported and disturbs nobody else.
 *
 * It knows the names and types of its events (`Events`) and nothing of what they mean.
 */

export type Listener<V> = (value: V) => void;

/** As an `EventTarget`'s: `once`, or until the signal aborts. */
export interface ListenOptions {
  once?: boolean;
  signal?: AbortSignal;
}

export class Emitter<Events extends object> {
  private readonly _listeners = new Map<keyof Events, Map<Listener<never>, Listener<never>>>();

  /** Listen; the returned function ends it. The same listener twice counts once. */
  on<K extends keyof Events>(type: K, listener: Listener<Events[K]>, options: ListenOptions = {}): () => void {
    const end = () => this.off(type, listener);
    if (options.signal?.aborted) return end;
    let listeners = this._listeners.get(type);
    if (!listeners) this._listeners.set(type, (listeners = new Map()));
    const run: Listener<Events[K]> = options.once ? (value) => (end(), listener(value)) : listener;
    if (!listeners.has(listener)) listeners.set(listener, run);
    options.signal?.addEventListener("abort", end, { once: true });
    return end;
  }

  /** Do not listen any more. */
  off<K extends keyof Events>(type: K, listener: Listener<Events[K]>): void {
    this._listeners.get(type)?.delete(listener);
  }

  /** As `on`, by the name an `EventTarget` has for it. */
  addEventListener<K extends keyof Events>(type: K, listener: Listener<Events[K]>, options?: ListenOptions): void {
    this.on(type, listener, options);
  }

  /** As `off`. */
  removeEventListener<K extends keyof Events>(type: K, listener: Listener<Events[K]>): void {
    this.off(type, listener);
  }

  /** @internal */
  emit<K extends keyof Events>(type: K, value: Events[K]): void {
    for (const run of [...(this._listeners.get(type)?.values() ?? [])] as Listener<Events[K]>[]) {
      try {
        run(value);
      } catch (error) {
        report(error);
      }
    }
  }
}

/** To where uncaught errors go, without stopping what runs. */
export function report(error: unknown): void {
  setTimeout(() => {
    throw error;
  });
}
