/** Commands and replies over a WebSocket, lines of JSON both ways. */

import type { Command } from "../wire.js";
import { BaseWire, linesOf, repliesOf } from "./base.js";

/** For the connect result after the upgrade: a proxy may answer that and eat what follows. */
const ANSWER_SECONDS = 4;
/** Where the session goes on: 1000 would end it. */
const LEFT = 4000;

export class WebSocketWire extends BaseWire {
  readonly transport = "websocket";
  private _socket: WebSocket | undefined;
  private _timer = 0;

  protected _start(connect: Command): void {
    const url = this._url("websocket", "/connection/websocket");
    url.protocol = url.protocol.replace("http", "ws");
    const { clock } = this._context;
    let socket: WebSocket;
    try {
      socket = this._socket = new this._context.WebSocket!(url);
    } catch (error) {
      this._timer = clock.after(0, () => this._lost(0, `no WebSocket: ${error}`));
      return;
    }
    socket.onopen = () => {
      this._timer = clock.after(ANSWER_SECONDS, () => this._lost(0, "no answer after the upgrade"));
      this.send([connect, ...this._early]);
    };
    socket.onmessage = ({ data }) => {
      clock.cancel(this._timer);
      try {
        this._received(repliesOf(data as string));
      } catch {
        this._lost(0, "the server sent what is no reply");
      }
    };
    socket.onerror = () => undefined; // the close tells; some WebSockets outside of browsers throw what nobody hears
    socket.onclose = ({ code, reason }) => this._lost(code, reason || "the connection broke");
  }
  private _early: Command[] = [];

  send(commands: Command[]): void {
    if (this._socket?.readyState === 1) this._socket.send(linesOf(commands));
    else this._early.push(...commands);
  }

  protected _stop(bye?: Command[]): void {
    const socket = this._socket;
    this._context.clock.cancel(this._timer);
    this._socket = undefined;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    if (bye && socket.readyState === 1) socket.send(linesOf(bye));
    socket.close(bye ? 1000 : LEFT);
  }
}
