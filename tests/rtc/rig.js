// What tests put into a page before its own scripts: pictures that can be read on the other side, a tone, a register of
// the page's peer connections, and readers of their statistics. All of it is at `rig`.
(() => {
  "use strict";
  const BITS = 24, CHECK = 8, PER_ROW = 16;
  const SILENT = { address: null, protocol: null, type: null, relayProtocol: null, url: null };
  const rig = { connections: [] };
  globalThis.rig = rig;

  // ---- the register

  const Native = globalThis.RTCPeerConnection;
  globalThis.RTCPeerConnection = class RTCPeerConnection extends Native {
    constructor(...values) {
      super(...values);
      rig.connections.push(this);
    }
  };

  // ---- sources

  const checksum = (value) => (value ^ (value >> 8) ^ (value >> 16) ^ 0xa5) & 0xff;

  // Two rows of black and white cells hold the time and a checksum; below them is one colour: the sender's.
  rig.camera = ({ width = 320, height = 180, rate = 20, colour = [200, 40, 40] } = {}) => {
    const canvas = document.createElement("canvas");
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext("2d");
    const side = width / PER_ROW;
    const draw = () => {
      const stamp = Date.now() % 2 ** BITS;
      context.fillStyle = `rgb(${colour})`;
      context.fillRect(0, 2 * side, width, height);
      for (let cell = 0; cell < BITS + CHECK; cell++) {
        const bit = cell < BITS ? stamp >> cell : checksum(stamp) >> (cell - BITS);
        context.fillStyle = bit & 1 ? "white" : "black";
        context.fillRect((cell % PER_ROW) * side, Math.floor(cell / PER_ROW) * side, side, side);
      }
    };
    draw();
    setInterval(draw, 1000 / rate);
    return canvas.captureStream(); // with a rate of its own Firefox leaves out pictures that come a little early
  };

  rig.tone = (frequency = 1000) => {
    const audio = new AudioContext();
    audio.resume(); // without a sound card Firefox never gets to it: not waited for
    const oscillator = new OscillatorNode(audio, { frequency });
    const sink = new MediaStreamAudioDestinationNode(audio);
    oscillator.connect(sink);
    oscillator.start();
    return sink.stream;
  };

  // From here on the page's cameras and microphones are these.
  rig.replaceDevices = (options) => {
    navigator.mediaDevices.getUserMedia = async ({ audio, video }) =>
      new MediaStream([
        ...(video ? rig.camera(options).getVideoTracks() : []),
        ...(audio ? rig.tone().getAudioTracks() : []),
      ]);
  };

  // ---- what comes out on the other side

  const glass = document.createElement("canvas");

  // {latency (ms), colour} of the picture that a <video> shows now; null where it shows none that can be read.
  rig.read = (video) => {
    if (!video.videoWidth) return null;
    glass.width = video.videoWidth;
    glass.height = video.videoHeight;
    const context = glass.getContext("2d", { willReadFrequently: true });
    context.drawImage(video, 0, 0);
    const side = glass.width / PER_ROW;
    const pixel = (x, y) => [...context.getImageData(Math.floor(x), Math.floor(y), 1, 1).data.slice(0, 3)];
    let stamp = 0, check = 0;
    for (let cell = 0; cell < BITS + CHECK; cell++) {
      const at = pixel(((cell % PER_ROW) + 0.5) * side, (Math.floor(cell / PER_ROW) + 0.5) * side);
      if (at[0] + at[1] + at[2] < 384) continue;
      if (cell < BITS) stamp |= 1 << cell;
      else check |= 1 << (cell - BITS);
    }
    if (check !== checksum(stamp)) return null;
    const latency = (Date.now() - stamp + 2 ** BITS) % 2 ** BITS;
    return { latency, colour: pixel(glass.width / 2, glass.height * 0.75) };
  };

  // ---- statistics

  const candidate = (each) =>
    each ? {
      type: each.candidateType, protocol: each.protocol, address: each.address ?? null, port: each.port ?? null,
      relayProtocol: each.relayProtocol ?? null, url: each.url ?? null,
    } : SILENT;

  // What tests ask of a connection, the same from each browser.
  rig.report = async (connection) => {
    const all = [...(await connection.getStats()).values()];
    const byId = new Map(all.map((each) => [each.id, each]));
    const transport = all.find((each) => each.type === "transport");
    const pair = byId.get(transport?.selectedCandidatePairId)
      ?? all.find((each) => each.type === "candidate-pair" && each.nominated && each.state === "succeeded");
    const inbound = (kind) => all.filter((each) => each.type === "inbound-rtp" && each.kind === kind);
    const total = (reports, name) => reports.reduce((sum, each) => sum + (each[name] ?? 0), 0);
    const video = inbound("video"), audio = inbound("audio");
    return {
      at: performance.now(),
      state: connection.connectionState,
      ice: connection.iceConnectionState,
      signaling: connection.signalingState,
      local: candidate(byId.get(pair?.localCandidateId)),
      remote: candidate(byId.get(pair?.remoteCandidateId)),
      roundTrip: pair?.currentRoundTripTime ?? null,
      dtls: transport?.dtlsState ?? null,
      cipher: transport?.srtpCipher ?? null,
      framesDecoded: total(video, "framesDecoded"),
      videoLost: total(video, "packetsLost"),
      freezes: total(video, "freezeCount"),
      audioPackets: total(audio, "packetsReceived"),
      audioEnergy: total(audio, "totalAudioEnergy"),
    };
  };

  // ---- a plain call, for the proof of the rig itself: signals are carried by the test

  rig.call = (configuration, camera) => {
    const connection = new RTCPeerConnection(configuration);
    const candidates = [], errors = [];
    const video = document.createElement("video");
    video.muted = video.autoplay = video.playsInline = true;
    document.body.append(video);
    connection.onicecandidate = ({ candidate: each }) => each && candidates.push(each.toJSON());
    connection.onicecandidateerror = ({ url, errorCode, errorText }) => errors.push({ url, errorCode, errorText });
    connection.ontrack = ({ track, streams: [stream] }) => {
      if (track.kind === "video") video.srcObject = stream;
    };
    const stream = new MediaStream([...rig.camera(camera).getTracks(), ...rig.tone().getTracks()]);
    for (const track of stream.getTracks()) connection.addTrack(track, stream);
    return {
      connection, video, errors,
      offer: async () => {
        await connection.setLocalDescription();
        return connection.localDescription.toJSON();
      },
      answer: async (offer) => {
        await connection.setRemoteDescription(offer);
        await connection.setLocalDescription();
        return connection.localDescription.toJSON();
      },
      accept: (answer) => connection.setRemoteDescription(answer),
      take: () => candidates.splice(0),
      add: (several) => Promise.all(several.map((each) => connection.addIceCandidate(each))),
      report: () => rig.report(connection),
    };
  };
})();
