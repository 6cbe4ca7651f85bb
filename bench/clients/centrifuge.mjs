// Centrifuge's own SDK for wirehop check, as it is by default, with recovery and joins and leaves asked for.

import { readFileSync } from "node:fs";
import { Centrifuge } from "centrifuge";
import { EventSource } from "eventsource";
import { WebSocket } from "ws";
import { serve, unknown } from "./lines.mjs";

const { version } = JSON.parse(readFileSync(new URL("node_modules/centrifuge/package.json", import.meta.url)));
const PATHS = { websocket: "/connection/websocket", sse: "/connection/sse", http_stream: "/connection/http_stream" };
// errors that the SDK makes up where it has no answer: timeout, transport closed, client disconnected, connection closed
const NO_ANSWER = new Set([1, 2, 3, 11]);

serve(
  {
    name: "centrifuge",
    version,
    wires: Object.keys(PATHS),
    has_positions: true,
    tells_recovery: true,
    has_presence: true,
  },
  (_number, url, wires, tell) => {
    const transports = wires.map((transport) => ({
      transport,
      endpoint: (transport === "websocket" ? url.replace(/^http/, "ws") : url) + PATHS[transport],
    }));
    const client = new Centrifuge(transports, {
      emulationEndpoint: `${url}/emulation`,
      websocket: WebSocket,
      eventsource: EventSource,
      fetch,
      readableStream: ReadableStream,
    });
    let wasConnected = false;
    client.on("connected", ({ client: who, transport }) => {
      wasConnected = true;
      tell("opened", { wire: transport, who });
    });
    client.on("connecting", ({ reason }) => wasConnected && tell("dropped", { reason }));
    return {
      connect: async () => {
        client.connect();
        await client.ready(20_000);
      },
      subscribe: async (channel) => {
        const subscription = client.newSubscription(channel, { recoverable: true, positioned: true, joinLeave: true });
        let epoch = "";
        subscription.on("subscribed", ({ wasRecovering, recovered, streamPosition }) => {
          epoch = streamPosition?.epoch ?? "";
          const offset = streamPosition?.offset ?? 0;
          tell("subscribed", { channel, recovered: wasRecovering ? recovered : null, epoch, offset });
        });
        subscription.on("publication", ({ data, offset }) => {
          tell("received", { channel, number: data.n, epoch, offset: offset ?? 0 });
        });
        subscription.on("join", ({ info }) => tell("joined", { channel, who: info.client }));
        subscription.on("leave", ({ info }) => tell("left", { channel, who: info.client }));
        subscription.subscribe();
        await subscription.ready(20_000);
      },
      publish: async (channel, n) => {
        try {
          await client.publish(channel, { n });
        } catch (error) {
          if (NO_ANSWER.has(error.code)) throw unknown(error.message);
          throw error;
        }
      },
      close: () => client.disconnect(),
    };
  },
);
