// Socket.IO's own client for wirehop check, as it is by default. After a return that the server has not recovered it joins
// its channel again, as the documentation shows.

import { readFileSync } from "node:fs";
import { io } from "socket.io-client";
import { serve, unknown } from "./lines.mjs";

const { version } = JSON.parse(readFileSync(new URL("node_modules/socket.io-client/package.json", import.meta.url)));
const ANSWER_MS = 20_000;
// Without connection state recovery nobody speaks of what was missed.
const RECOVERY = process.argv.includes("--recovery");

serve(
  { name: "socket.io", version, wires: ["websocket"], tells_recovery: RECOVERY },
  (_number, url, _wires, tell) => {
    const socket = io(url, { transports: ["websocket"], autoConnect: false, forceNew: true });
    const channels = new Set();
    let wasConnected = false;
    socket.on("publication", (channel, number) => tell("received", { channel, number }));
    socket.on("disconnect", (reason) => tell("dropped", { reason }));
    socket.on("connect", () => {
      tell("opened", { wire: "websocket", is_resumed: socket.recovered });
      if (wasConnected) {
        for (const channel of channels) {
          if (socket.recovered) tell("subscribed", { channel, recovered: true });
          else socket.emit("join", channel, () => tell("subscribed", { channel, recovered: RECOVERY ? false : null }));
        }
      }
      wasConnected = true;
    });
    return {
      connect: () =>
        new Promise((resolve, reject) => {
          socket.once("connect", () => resolve());
          socket.io.once("reconnect_failed", () => reject(new Error("no connection")));
          socket.connect();
        }),
      subscribe: async (channel) => {
        await socket.timeout(ANSWER_MS).emitWithAck("join", channel);
        channels.add(channel);
        tell("subscribed", { channel, recovered: null });
      },
      publish: async (channel, number) => {
        try {
          await socket.timeout(ANSWER_MS).emitWithAck("publish", channel, number);
        } catch (error) {
          throw unknown(error.message);
        }
      },
      close: () => socket.disconnect(),
    };
  },
);
