// A camera, a screen and a microphone for those who have none, or want to show none: a moving clock, and a tone.
//
// Each name has its colour, a plain band at the lower edge of the picture, so that one sees whose picture it is.

import { hue } from "../chat/people.js";

const WIDTH = 480;
const HEIGHT = 270;
const RATE = 20; // pictures a second
const BAND = 0.16; // of the height
const TONE = 0.09; // of full volume
const BEEP_SECONDS = 0.7;
const PAUSE_SECONDS = 3.3;

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

/** A video track that is drawn until it is stopped. */
function drawn(width, height, draw) {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  draw(context, performance.now());
  const timer = setInterval(() => draw(context, performance.now()), 1000 / RATE);
  // with a rate of its own Firefox leaves out pictures that come a little early
  const [track] = canvas.captureStream().getVideoTracks();
  return { track, stop: () => (clearInterval(timer), track.stop()) };
}

function hand(context, x, y, length, turn, width) {
  context.lineWidth = width;
  context.beginPath();
  context.moveTo(x, y);
  context.lineTo(x + length * Math.sin(turn * 2 * Math.PI), y - length * Math.cos(turn * 2 * Math.PI));
  context.stroke();
}

const picture = (name) => (context, now) => {
  const [x, y, radius] = [WIDTH * 0.5, HEIGHT * 0.4, HEIGHT * 0.27];
  const shade = context.createLinearGradient(0, 0, WIDTH, HEIGHT);
  shade.addColorStop(0, `hsl(${hue(name)} 38% 30%)`);
  shade.addColorStop(1, `hsl(${hue(name) + 40} 42% 17%)`);
  context.fillStyle = shade;
  context.fillRect(0, 0, WIDTH, HEIGHT);
  context.strokeStyle = "rgb(255 255 255 / 30%)";
  context.lineCap = "round";
  for (let tick = 0; tick < 12; tick++) {
    const turn = (tick / 12) * 2 * Math.PI;
    context.lineWidth = tick % 3 ? 2 : 4;
    context.beginPath();
    context.moveTo(x + 0.86 * radius * Math.sin(turn), y - 0.86 * radius * Math.cos(turn));
    context.lineTo(x + radius * Math.sin(turn), y - radius * Math.cos(turn));
    context.stroke();
  }
  const time = new Date();
  context.strokeStyle = "#fff";
  hand(context, x, y, radius * 0.5, (time.getHours() % 12) / 12 + time.getMinutes() / 720, 5);
  hand(context, x, y, radius * 0.75, time.getMinutes() / 60, 4);
  context.strokeStyle = `hsl(${hue(name)} 90% 72%)`;
  hand(context, x, y, radius * 0.82, (time.getSeconds() + time.getMilliseconds() / 1000) / 60, 2);
  const turn = ((now / 2000) % 1) * 2 * Math.PI; // something that always moves
  context.fillStyle = `hsl(${hue(name)} 90% 72%)`;
  context.beginPath();
  context.arc(x + 1.2 * radius * Math.sin(turn), y - 1.2 * radius * Math.cos(turn), 6, 0, 2 * Math.PI);
  context.fill();
  context.textAlign = "center";
  context.fillStyle = "#fff";
  context.font = "600 20px ui-monospace, monospace";
  context.fillText(clock.format(time), x, HEIGHT * 0.79);
  context.fillStyle = `hsl(${hue(name)} 85% 50%)`;
  context.fillRect(0, HEIGHT * (1 - BAND), WIDTH, HEIGHT * BAND);
};

const LINES = ["# One channel, any wire", "const client = connect();", 'const channel = client.channel("news");', 'channel.on("publication", show);', "await channel.publish({ hello });"];

const screen = (name) => (context, now) => {
  const { width, height } = context.canvas;
  context.fillStyle = "#10131f";
  context.fillRect(0, 0, width, height);
  context.fillStyle = "#1d2233";
  context.fillRect(0, 0, width, 34);
  ["#ff6b6b", "#ffd166", "#4cd38a"].forEach((colour, index) => {
    context.fillStyle = colour;
    context.beginPath();
    context.arc(20 + 20 * index, 17, 6, 0, 2 * Math.PI);
    context.fill();
  });
  context.textAlign = "left";
  context.font = "500 22px ui-monospace, monospace";
  const typed = Math.floor((now / 60) % (LINES.join("").length + 60));
  let left = typed;
  LINES.forEach((line, index) => {
    context.fillStyle = index ? "#cdd6f4" : "#7f88b5";
    context.fillText(line.slice(0, Math.max(0, left)), 40, 92 + 40 * index);
    left -= line.length;
  });
  context.fillStyle = "#7f88b5";
  context.fillText(`${name} · ${clock.format(Date.now())}`, 40, height - 72);
  context.fillStyle = `hsl(${hue(name)} 85% 50%)`;
  context.fillRect(0, height * (1 - BAND / 2), width, (height * BAND) / 2);
};

/** A tone that comes and goes, so that there is somebody who speaks. */
function tone(name) {
  const audio = new AudioContext();
  audio.resume().catch(() => {}); // closed before it has begun: without a sound card Firefox never begins
  const oscillator = new OscillatorNode(audio, { frequency: 300 + 1.2 * hue(name) });
  const gain = new GainNode(audio, { gain: 0 });
  const sink = new MediaStreamAudioDestinationNode(audio);
  oscillator.connect(gain).connect(sink);
  oscillator.start();
  const beep = () => {
    const now = audio.currentTime;
    gain.gain.setTargetAtTime(TONE, now, 0.02);
    gain.gain.setTargetAtTime(0, now + BEEP_SECONDS, 0.03);
  };
  beep();
  const timer = setInterval(beep, (BEEP_SECONDS + PAUSE_SECONDS) * 1000);
  const [track] = sink.stream.getAudioTracks();
  return { track, stop: () => (clearInterval(timer), track.stop(), audio.close()) };
}

const MAKERS = {
  camera: (name) => drawn(WIDTH, HEIGHT, picture(name)),
  screen: (name) => drawn(960, 540, screen(name)),
  microphone: tone,
};

/** What is generated of each source; one track of each at most. */
export class Generated {
  #made = new Map();

  track(source, name) {
    this.stop(source);
    const made = MAKERS[source](name);
    this.#made.set(source, made);
    return made.track;
  }

  stop(source) {
    this.#made.get(source)?.stop();
    this.#made.delete(source);
  }

  isMaking(source) {
    return this.#made.has(source);
  }
}
