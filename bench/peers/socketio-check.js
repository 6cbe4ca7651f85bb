// Socket.IO for wirehop check: channels are rooms, and a publication is acknowledged once it was given to the room.
//
//     node socketio-check.js PORT [--recovery]    with connection state recovery (2 minutes), or without
import { createServer } from "node:http";
import { Server } from "socket.io";

const recovery = process.argv.includes("--recovery") ? { connectionStateRecovery: { maxDisconnectionDuration: 120_000 } } : {};
const server = createServer();
const io = new Server(server, { pingInterval: 2_000, pingTimeout: 1_000, serveClient: false, ...recovery });
io.on("connection", (socket) => {
  socket.on("join", (channel, answer) => {
    socket.join(channel);
    answer();
  });
  socket.on("publish", (channel, number, answer) => {
    io.to(channel).emit("publication", channel, number);
    answer();
  });
});
server.listen(Number(process.argv[2]), "127.0.0.1");
