// wirehop's browser SDK, as it is shipped, in Node for wirehop check.

import { readFileSync } from "node:fs";
import { EventSource } from "eventsource";
import { WebSocket } from "ws";
import { connect } from "../../src/wirehop/sdk/wirehop.js";
import { serve, unknown } from "./lines.mjs";

const { version } = JSON.parse(readFileSync(new URL("../../sdk/package.json", import.meta.url)));
const WIRES = ["websocket", "stream", "sse", "long-poll", "short-poll"];
const OUTCOME_UNKNOWN = 120;
const MOVE_MS = 12_000;

serve(
  {
    name: "wirehop SDK",
    version,
    wires: WIRES,
    has_positions: true,
    tells_recovery: true,
    has_presence: true,
    moves: true,
    accepts_keys: true,
  },
  (_number, url, wires, tell) => {
    const client = connect(url, { wires, context: { WebSocket, EventSource } });
    const until = (event, check) =>
      new Promise((resolve, reject) => {
        const ends = [];
        const end = (run, value) => {
          clearTimeout(timer);
          for (const each of ends) each();
          run(value);
        };
        const timer = setTimeout(end, MOVE_MS, reject, new Error("not in time"));
        const look = () => check() && end(resolve);
        ends.push(client.on(event, look));
        ends.push(client.on("moveFailed", ({ reason }) => end(reject, new Error(reason))));
        ends.push(client.on("state", ({ state }) => state === "offline" && end(reject, new Error("offline"))));
        look();
      });
    let wasLive = false;
    client.on("moved", ({ transport, resumed }) => tell("opened", { wire: transport, who: client.id, is_resumed: resumed }));
    client.on("state", ({ state, reason }) => {
      if (state === "offline" && wasLive) tell("dropped", { reason });
      if (state === "live" && !wasLive) {
        wasLive = true;
        tell("opened", { wire: client.transport, who: client.id });
      }
    });
    return {
      connect: () => until("state", () => client.state === "live"),
      subscribe: (name) =>
        new Promise((resolve) => {
          const channel = client.channel(name, { joinLeave: true });
          channel.on("subscribed", ({ recovered, position }) => {
            tell("subscribed", { channel: name, recovered: recovered ?? null, ...position });
            resolve();
          });
          channel.on("publication", ({ data, offset, position }) => {
            tell("received", { channel: name, number: data.n, epoch: position?.epoch ?? "", offset: offset ?? 0 });
          });
          channel.on("join", ({ client: who }) => tell("joined", { channel: name, who }));
          channel.on("leave", ({ client: who }) => tell("left", { channel: name, who }));
        }),
      publish: async (channel, n, key) => {
        try {
          return await client.publish(channel, { n }, { key });
        } catch (error) {
          throw error.code === OUTCOME_UNKNOWN ? unknown(error.message) : error;
        }
      },
      move: async (wire) => {
        if (client.transport === wire) return;
        if (client.state !== "live") throw new Error("offline");
        client.move(wire);
        await until("moved", () => client.transport === wire);
      },
      close: () => client.close(),
    };
  },
);
