/** Polls as scripts, for pages that can load nothing else. Never by cookie. */

import type { Command } from "../wire.js";
import { PollWire, type PollAnswer } from "./poll.js";

let count = 0;

export class JsonpWire extends PollWire {
  readonly transport = "jsonp";
  protected override readonly _wait = 20;
  protected override readonly _most = 3_000;

  /** A script that is held would hold the page's own `load` too: the first one waits for that. */
  protected override _start(connect: Command): void {
    const begin = () => this._listener && super._start(connect);
    const { readyState } = this._context.document!;
    if (readyState !== "loading" && readyState !== "interactive") begin();
    else addEventListener("load", () => setTimeout(begin), { once: true });
  }

  protected _travel(body: string, seconds: number): Promise<PollAnswer> {
    const { clock, document } = this._context;
    const name = `wirehop_${++count}`;
    const url = this._url("jsonp", "/connection/jsonp");
    url.searchParams.set("callback", name);
    url.searchParams.set("body", body);
    const script = document!.createElement("script");
    const world = globalThis as unknown as Record<string, unknown>;
    let fail = () => {};
    let isHere = false;
    return new Promise<PollAnswer>((resolve, reject) => {
      fail = () => reject(new Error("the script did not load"));
      const timer = clock.after(seconds, fail);
      world[name] = (answer: PollAnswer) => {
        isHere = true;
        clock.cancel(timer);
        resolve(answer);
      };
      script.onload = script.onerror = () => {
        isHere = true;
        clock.cancel(timer);
        fail(); // unless it has called
      };
      this._gone.signal.addEventListener("abort", fail);
      script.src = url.href;
      document!.head.append(script);
    }).finally(() => {
      script.remove();
      this._gone.signal.removeEventListener("abort", fail);
      const forget = () => delete world[name];
      if (isHere) forget();
      else world[name] = script.onload = script.onerror = forget; // it may still come
    });
  }

  protected _bye(body: string): void {
    void this._travel(body, 1).catch(() => undefined);
  }
}
