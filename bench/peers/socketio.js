// Socket.IO as scripts/bench measures it: WebSocket only, no compression, the adapter in memory, no history.
//
//     node socketio.js PORT    POST publishes to everybody; the event "echo" is acknowledged with what it brought
import { createServer } from "node:http";
import { Server } from "socket.io";

const server = createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    if (request.method === "POST") io.emit("publication", Buffer.concat(parts).toString());
    response.writeHead(201, { "Content-Length": 0 }).end();
  });
});
server.keepAliveTimeout = 0;

const io = new Server(server, { transports: ["websocket"], perMessageDeflate: false, serveClient: false });
io.engine.on("connection", (raw) => {
  raw.request = null; // its documentation's advice on memory
});
io.on("connection", (socket) => {
  socket.on("echo", (data, answer) => answer(data));
});
server.listen({ port: Number(process.argv[2]), host: "127.0.0.1", backlog: 4096 });
