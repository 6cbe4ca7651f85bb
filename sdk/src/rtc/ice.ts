/**
 * The ICE servers of a room, with credentials that are good: asked with `rtc.ice`, and asked again before they end.
 *
 * `rtc.ice {channel}` answers `{ice_servers, ttl, policy}`, to those who are in the room.
 */

import type { Client } from "../client.js";
import { refused, type RtcError } from "./errors.js";

export interface IceAnswer {
  ice_servers: RTCIceServer[];
  /** Seconds for which the credentials are good. */
  ttl: number;
  policy?: RTCIceTransportPolicy;
}

/** Of the life of credentials, how much is used up before they are renewed. */
const RENEW_AFTER = 0.75;
/** Older than this part of their life they are not good enough to begin with. */
const FRESH_UNTIL = 0.5;
const RETRY_SECONDS = 5;
const LONGEST_SECONDS = 86_400;

export class IceServers {
  private _answer: IceAnswer | undefined;
  private _got = 0;
  private _coming: Promise<void> | undefined;
  private _timer: ReturnType<typeof setTimeout> | undefined;

  /** `told` is called with each new answer, `failed` where there is none. */
  constructor(
    private readonly _client: Pick<Client, "rpc">,
    private readonly _channel: string,
    private readonly _policy: RTCIceTransportPolicy | undefined,
    private readonly _now: () => number,
    private readonly _told: () => void,
    private readonly _failed: (error: RtcError) => void,
  ) {}

  /** What a peer connection is made with now. */
  configuration(relayOnly: boolean): RTCConfiguration {
    const { ice_servers: iceServers = [], policy = "all" } = this._answer ?? {};
    const isRelay = this._policy === "relay" || policy === "relay" || (relayOnly && hasTurn(iceServers));
    return { iceServers, iceTransportPolicy: isRelay ? "relay" : "all", bundlePolicy: "max-bundle" };
  }

  /** Resolves when the credentials are good for a while; also where none could be had (then without). */
  async fresh(): Promise<void> {
    const age = this._now() - this._got;
    if (this._answer && age < this._answer.ttl * FRESH_UNTIL) return;
    await this.fetch().catch(() => undefined);
  }

  /** Ask for them. It fails where the channel is no room; other refusals are told, and it is tried again. */
  fetch(): Promise<void> {
    this._coming ??= this._fetch().finally(() => (this._coming = undefined));
    return this._coming;
  }

  close(): void {
    clearTimeout(this._timer);
    this._timer = -1 as never;
  }

  private async _fetch(): Promise<void> {
    let again = RETRY_SECONDS;
    try {
      this._answer = await this._client.rpc<IceAnswer>("rtc.ice", { channel: this._channel });
      this._got = this._now();
      again = Math.max(Math.min(this._answer.ttl, LONGEST_SECONDS) * RENEW_AFTER, 1);
      this._told();
    } catch (error) {
      const failure = refused(error, "the server gives no ICE servers");
      this._failed(failure);
      if (failure.name === "NotSupported") throw failure; // there are no calls here: asking again changes nothing
    }
    if ((this._timer as unknown) === -1) return;
    clearTimeout(this._timer);
    this._timer = setTimeout(() => this.fetch().catch(() => undefined), again * 1000);
  }
}

export function hasTurn(servers: RTCIceServer[]): boolean {
  return servers.some(({ urls }) => ([] as string[]).concat(urls).some((url) => /^turns?:/.test(url)));
}
