// The call: a room is the channel `room:{name}`, everybody in it is connected with everybody else, and its publications
// are the chat. This is the page: the session, the lobby, the buttons; gathering.js has the room.

import { connect } from "../sdk/wirehop.js";
import { randomName } from "../chat/people.js";
import { Breaks } from "../breaks.js";
import { firstChoice, mountTransportBar } from "../transport-bar.js";
import { SERVER, byTestId, element, memory, mountPanel, mountState, roomName, setText } from "../ui.js";
import { mountDevices } from "./devices.js";
import { mountFigures } from "./figures.js";
import { Gathering } from "./gathering.js";
import { icon } from "./icons.js";
import { LevelMeter } from "./levels.js";
import { Lobby } from "./lobby.js";
import { Sources, failureWords } from "./sources.js";
import { Stage } from "./stage.js";
import { Talk } from "./talk.js";

const ROOM = "demo";
const COMFORTABLE = 4; // people: each sends to each, so that a fifth costs everybody
const NOTICE_MILLISECONDS = 9000;
const LOUD = 0.35; // of the meter
const LEVEL_MILLISECONDS = 120;
const HOLD_MILLISECONDS = 600;

const page = (id) => document.getElementById(id);
const query = new URLSearchParams(location.search);

let name = (query.get("name") ?? memory.read("name", "")).slice(0, 32) || randomName();
let room = roomFromHash();
let gathering = null;

function roomFromHash() {
  try {
    return roomName(decodeURIComponent(location.hash.slice(1))) || ROOM;
  } catch {
    return ROOM; // a hash that is not valid percent-encoding
  }
}

// ---- the session ----------------------------------------------------------------------------------------------------

const breaks = new Breaks();
const open = () => connect(SERVER, { wires: bar?.choice ?? firstChoice(), data: { name }, context: breaks.context });
let bar = null;
let client = open();
let sessionName = name;
let endState = mountState(byTestId("state"), client);
bar = mountTransportBar(page("transport"), client, { breaks });

/** Another session, under another name or after one that was closed. */
function openAnew() {
  client.close();
  client = open();
  sessionName = name;
  endState();
  endState = mountState(byTestId("state"), client);
  bar.attach(client);
}

// ---- parts ----------------------------------------------------------------------------------------------------------

const sources = new Sources(name, { isGenerated: query.get("fake") === "1" });
const stage = new Stage(byTestId("stage"));
const meter = new LevelMeter();
const lobby = new Lobby({ sources, client: () => client, channel: () => `room:${room}`, name: () => name });
const talk = new Talk({
  me: () => ({ name, wire: client.transport || "websocket" }),
  publish: (message) => client.publish(`room:${room}`, message, { key: message.id }),
  heard: () => page("talk-side").hidden && countUnread(1),
});
const figures = mountFigures(page("figures-button"), () => gathering?.others ?? []);

function choose(kind, choice) {
  sources.choose(kind, choice);
  if (kind === "speaker") stage.speakTo(choice);
}

mountDevices(page("lobby-devices"), sources, choose);

// ---- coming and going -----------------------------------------------------------------------------------------------

async function join() {
  takeName();
  if (sessionName !== name || client.state === "closed") openAnew();
  const channel = client.channel(`room:${room}`, { joinLeave: true });
  bar.watch(channel);
  talk.follow(channel);
  byTestId("join").disabled = true;
  setText(byTestId("join"), "Joining…");
  const found = new Gathering({ stage, sources, client, name: `room:${room}`, me: name, failed, changed: showCall, ended });
  try {
    gathering = found;
    lobby.close();
    show("call");
    await found.begin();
    if (sources.chosen.speaker) stage.speakTo(sources.chosen.speaker);
  } catch (error) {
    notify(`The room could not be joined: ${error.message}.`);
  } finally {
    byTestId("join").disabled = false;
    setText(byTestId("join"), "Join");
  }
}

/** The room is left: by us, or because the session was ended. */
function ended() {
  const was = { camera: sources.isOn("camera"), microphone: sources.isOn("microphone") };
  gathering = null;
  openTalk(false);
  countUnread(0);
  client.leave(`room:${room}`);
  if (client.state === "closed") notify("The server has ended this session. Join again to begin another.");
  sources.renew();
  show("lobby");
  lobby.open();
  for (const source of ["camera", "microphone"]) sources.set(source, wasOn[source] ?? was[source]);
}

const wasOn = {}; // what the buttons say: the room lets go of everything before it says that it is left

function show(phase) {
  byTestId("call").dataset.phase = phase;
  page("lobby").hidden = phase !== "lobby";
  page("in-call").hidden = phase !== "call";
  page("figures-button").hidden = phase !== "call";
  setText(page("room-title"), room);
  document.title = `${room} · wirehop call`;
  showControls();
  if (phase === "call") stage.layout();
}

function showCall() {
  const others = gathering?.others ?? [];
  page("alone").hidden = others.length > 0;
  page("stage").dataset.people = String(others.length + 1);
  byTestId("call").dataset.room = gathering?.room?.state ?? "joining";
  if (others.length + 1 > COMFORTABLE) notify(`${others.length + 1} people: everybody sends to everybody here, which is made for up to ${COMFORTABLE}.`);
  figures.show();
}

function failed(error, participant) {
  notify(`${participant ? `${participant.name}: ` : ""}${error.message}`);
}

let noticeTimer;

function notify(text) {
  setText(page("notice"), text);
  page("notice").hidden = !text;
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(() => (page("notice").hidden = true), NOTICE_MILLISECONDS);
}

// ---- name and room --------------------------------------------------------------------------------------------------

function takeName() {
  const wanted = byTestId("name-input").value.trim().replace(/\s+/g, " ").slice(0, 32);
  if (wanted && wanted !== name) {
    name = wanted;
    memory.write("name", name);
    sources.rename(name);
  }
  byTestId("name-input").value = name;
  lobby.show();
}

function takeRoom() {
  room = roomName(byTestId("room-input").value) || ROOM;
  byTestId("room-input").value = room;
  history.replaceState(null, "", `#${encodeURIComponent(room)}`);
  setText(page("room-title"), room);
}

byTestId("name-input").addEventListener("change", takeName);
byTestId("room-input").addEventListener("change", takeRoom);
page("join-form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (gathering) return;
  takeRoom();
  join();
});
addEventListener("hashchange", () => {
  gathering?.leave();
  byTestId("room-input").value = roomFromHash();
  takeRoom();
});

// ---- buttons --------------------------------------------------------------------------------------------------------

const LABELS = {
  microphone: { on: ["microphone", "Mute", "M"], off: ["microphone-off", "Unmute", "M"] },
  camera: { on: ["camera", "Camera off", "V"], off: ["camera-off", "Camera on", "V"] },
  screen: { on: ["screen-off", "Stop sharing", "S"], off: ["screen", "Share", "S"] },
  chat: { on: ["chat", "Chat", "C"], off: ["chat", "Chat", "C"] },
  devices: { off: ["devices", "Devices", ""] },
  leave: { off: ["leave", "Leave", ""] },
};
const isOn = {
  microphone: () => sources.isOn("microphone"),
  camera: () => sources.isOn("camera"),
  screen: () => !!sources.track("screen"),
  chat: () => !page("talk-side").hidden,
};
const actions = {
  microphone: () => toggle("microphone"),
  camera: () => toggle("camera"),
  screen: share,
  chat: () => openTalk(page("talk-side").hidden),
  leave: () => gathering?.leave(),
};

function toggle(source) {
  wasOn[source] = !sources.isOn(source);
  return sources.set(source, wasOn[source]);
}

async function share() {
  try {
    await sources.share(!sources.track("screen"));
  } catch (error) {
    if (error.name !== "DeviceForbidden") notify(failureWords(error, "screen")); // the user thought better of it
  }
}

function showControls() {
  for (const button of document.querySelectorAll("[data-control]")) {
    const kind = button.dataset.control;
    const on = isOn[kind]?.() ?? false;
    const [symbol, words, key] = LABELS[kind][on ? "on" : "off"];
    if (button.dataset.icon === symbol && button.title.startsWith(words)) continue;
    button.dataset.icon = symbol;
    button.title = key ? `${words} (${key})` : words;
    button.replaceChildren(icon(symbol), element("span", {}, words));
    button.dataset.on = String(on);
  }
  const failures = [...sources.failures.values()];
  if (gathering && failures.length) notify(failures.join(" "));
}

for (const button of document.querySelectorAll("[data-control]")) button.addEventListener("click", () => actions[button.dataset.control]?.());
sources.addEventListener("change", () => {
  showControls();
  meter.listen(gathering ? sources.track("microphone") : undefined);
});
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !page("talk-side").hidden) return openTalk(false);
  const isTyping = event.target.closest?.("input, textarea, select, [contenteditable]");
  if (!gathering || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
  const kind = { m: "microphone", v: "camera", s: "screen", c: "chat" }[event.key.toLowerCase()];
  if (!kind || event.repeat) return;
  event.preventDefault();
  actions[kind]();
});

const panel = element("div", { className: "panel-over above", role: "dialog", ariaLabel: "Devices", dataset: { testid: "devices-panel" } }, element("div", { id: "call-devices", className: "devices" }));
page("in-call").append(panel);
mountPanel(byTestId("devices"), panel);
mountDevices(page("call-devices"), sources, choose);

let unread = 0;

function countUnread(more) {
  unread = more ? unread + more : 0;
  byTestId("chat").dataset.unread = unread ? String(Math.min(unread, 99)) : "";
}

function openTalk(isOpen) {
  page("talk-side").hidden = !isOpen;
  byTestId("chat").setAttribute("aria-expanded", String(isOpen));
  if (isOpen) {
    countUnread(0);
    talk.focus();
  }
  showControls();
}

page("talk-close").addEventListener("click", () => openTalk(false));
page("stage").addEventListener("silenced", () => {
  notify("The browser plays no sound before somebody has clicked on the page.");
  addEventListener("click", () => stage.playAll(), { once: true });
});
page("share-link").addEventListener("click", async () => {
  const link = new URL(`#${encodeURIComponent(room)}`, location.href.split(/[?#]/)[0]).href;
  try {
    await navigator.clipboard.writeText(link);
    notify("The link to this room is copied.");
  } catch {
    prompt("The link to this room:", link); // no clipboard on plain HTTP
  }
});

// ---- our own voice --------------------------------------------------------------------------------------------------

let loudUntil = 0;
setInterval(() => {
  if (!gathering) return;
  if (meter.read() > LOUD) loudUntil = performance.now() + HOLD_MILLISECONDS;
  gathering.speak(performance.now() < loudUntil);
}, LEVEL_MILLISECONDS);

byTestId("name-input").value = name;
byTestId("room-input").value = room;
show("lobby");
lobby.open();
for (const source of ["camera", "microphone"]) toggle(source);
