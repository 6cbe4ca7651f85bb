// What works in a dedicated worker. Told addresses, it answers with techniques and whether they did.

const first = (target, event) =>
  new Promise((resolve, reject) => {
    target.addEventListener(event, resolve, { once: true });
    setTimeout(() => reject(new Error(event)), 5000);
  });
const works = async (action) => {
  try {
    await action();
    return true;
  } catch {
    return false;
  }
};

onmessage = async ({ data: at }) => {
  const isFetch = await works(async () => (await fetch(at.answer)).text());
  const isEvents = await works(async () => {
    const source = new EventSource(at.events);
    await first(source, "message");
    source.close();
  });
  const isStream = await works(async () => {
    const control = new AbortController();
    const reader = (await fetch(at.stream, { signal: control.signal })).body.getReader();
    await reader.read();
    control.abort();
  });
  const isSocket = await works(async () => {
    const socket = new WebSocket(at.socket);
    await first(socket, "open");
    socket.send("x");
    await first(socket, "message");
    socket.close();
  });
  const isChannel = "RTCPeerConnection" in self;
  postMessage({
    "short-poll": isFetch,
    "long-poll": isFetch,
    jsonp: "document" in self,
    sse: isEvents,
    "sse-post": isEvents && isFetch,
    stream: isStream,
    websocket: isSocket,
    webtransport: "WebTransport" in self,
    "data-channel": isChannel,
    "data-channel-unreliable": isChannel,
    media: isChannel,
  });
};
