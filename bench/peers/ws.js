// npm `ws` as scripts/bench measures it: everybody on one channel, no history; the server library alone.
//
//     node ws.js PORT          /echo: every message comes back; any other path subscribes; POST publishes
import { createServer } from "node:http";
import { WebSocketServer } from "ws";

const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, skipUTF8Validation: true });
const subscribers = new Set();

sockets.on("connection", (socket, request) => {
  if (request.url === "/echo") {
    socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
    return;
  }
  subscribers.add(socket);
  socket.on("close", () => subscribers.delete(socket));
});

const server = createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    if (request.method === "POST") {
      const body = Buffer.concat(parts);
      for (const socket of subscribers) socket.send(body, { binary: false });
    }
    response.writeHead(201, { "Content-Length": 0 }).end();
  });
});
server.keepAliveTimeout = 0;
server.on("upgrade", (request, socket, head) => {
  sockets.handleUpgrade(request, socket, head, (accepted) => sockets.emit("connection", accepted, request));
});
server.listen({ port: Number(process.argv[2]), host: "127.0.0.1", backlog: 4096 });
