// The lines of JSON that `wirehop check --client` speaks (src/wirehop/checker/adapters/process.py): orders come in, answers
// and events go out. `serve(capabilities, make)`: make(number, url, wires, tell) gives a client with connect, subscribe,
// publish, move and close; `tell(event, fields)` says what happens to it.

import { createInterface } from "node:readline";

function say(line) {
  process.stdout.write(JSON.stringify(line) + "\n");
}

export function serve(capabilities, make) {
  const clients = new Map();
  const orders = {
    connect: ({ client: number, url, wires }) => {
      const client = make(number, url, wires, (event, fields) => say({ client: number, event, ...fields }));
      clients.set(number, client);
      return client.connect();
    },
    subscribe: ({ client, channel }) => clients.get(client).subscribe(channel),
    publish: ({ client, channel, number, key }) => clients.get(client).publish(channel, number, key),
    move: ({ client, wire }) => clients.get(client).move(wire),
    close: ({ client }) => clients.get(client)?.close(),
  };
  createInterface({ input: process.stdin }).on("line", async (line) => {
    const order = JSON.parse(line);
    try {
      say({ id: order.id, ...((await orders[order.do](order)) ?? {}) });
    } catch (error) {
      say({ id: order.id, error: error.message || String(error), unknown: error.unknown === true });
    }
  }).on("close", () => process.exit(0));
  say({ capabilities });
}

// An error of which nobody knows whether the server has done what was asked.
export function unknown(message) {
  return Object.assign(new Error(message), { unknown: true });
}
