// The chat: rooms are channels `chat:{room}`, typing is a signal in `typing:{room}`. Everything else is history and presence.

import { connect } from "../sdk/wirehop.js";
import { Breaks } from "../breaks.js";
import { firstChoice, mountTransportBar } from "../transport-bar.js";
import { SERVER, byTestId, element, memory, mountState, randomId, roomName } from "../ui.js";
import { MessageList, toMessage } from "./messages.js";
import { People, Typing, avatar, nameOf, randomName } from "./people.js";

const ROOMS = ["lobby", "random", "help"];
const HISTORY = 100;
const MAX_LENGTH = 2000;
const TYPING_EVERY = 2000; // milliseconds between two signals
const DELIVERIES = 3; // times a message is given to a session before the person is asked
const PAUSE = 1000; // milliseconds
const OUTCOME_UNKNOWN = 120;

const page = (id) => document.getElementById(id);
const input = byTestId("message-input");
const nameInput = byTestId("name-input");

let name = memory.read("name", "") || randomName();
memory.write("name", name);
const thisPage = randomId(6); // tells our own typing from that of another page with our name
const sentHere = new Set();

const typing = new Typing(byTestId("typing"));
const people = new People({ list: byTestId("people"), count: page("people-count"), me: () => name });
const messages = new MessageList({
  list: byTestId("messages"),
  scroller: page("messages-scroll"),
  newer: page("newer"),
  onRetry: (message) => deliver(message),
});

// ---- the session ----------------------------------------------------------------------------------------------------

const breaks = new Breaks();
const open = (wires) => connect(SERVER, { wires, data: { name }, context: breaks.context });
let client = open(firstChoice());
let endState = mountState(byTestId("state"), client);
const bar = mountTransportBar(page("transport"), client, { breaks });
let lastWire = "";

/** Another session, under another name: who somebody is is fixed when a session connects. */
function openAnew() {
  client.close(); // what it has not sent yet is given to the next one, see deliver()
  client = open(bar.choice);
  endState();
  endState = mountState(byTestId("state"), client);
  bar.attach(client);
  subscribe({ isAnew: true });
}

// ---- rooms ----------------------------------------------------------------------------------------------------------

let room = null;
let followed = null; // its channel

function roomFromHash() {
  try {
    return roomName(decodeURIComponent(location.hash.slice(1))) || ROOMS[0];
  } catch {
    return ROOMS[0]; // a hash that is not valid percent-encoding
  }
}

function enter(next) {
  if (room === next) return;
  followed = null;
  if (room) for (const channel of [`chat:${room}`, `typing:${room}`]) client.leave(channel);
  room = next;
  stopTyping();
  typing.clear();
  people.clear();
  messages.clear();
  showNotice("");
  showRooms();
  page("room-title").textContent = room;
  showTitle();
  subscribe({ isAnew: false });
}

/** Follow the room. `isAnew`: it is shown already, and something may have been missed. */
function subscribe({ isAnew }) {
  const channel = client.channel(`chat:${room}`, { joinLeave: true });
  const isHere = () => channel === followed;
  followed = channel;
  bar.watch(channel);
  channel.on("subscribed", ({ recovered }) => {
    if (!recovered) readHistory(channel, isHere, { isAnew: isAnew || recovered === false });
    people.reload(() => channel.presence()).catch((error) => isHere() && console.warn("presence:", error.message));
  });
  channel.on("publication", (publication) => isHere() && received(publication, { isLive: true }));
  channel.on("join", (info) => isHere() && people.join(info));
  channel.on("leave", (info) => {
    if (!isHere()) return;
    people.leave(info);
    typing.stopped(nameOf(info));
  });
  channel.on("unsubscribed", ({ reason }) => isHere() && showNotice(`This room is not open to you: ${reason}.`));
  client.channel(`typing:${room}`).on("publication", ({ data }) => {
    if (data?.page === thisPage || typeof data?.name !== "string") return;
    if (data.stopped) typing.stopped(data.name);
    else typing.seen(data.name.slice(0, 32));
  });
}

async function readHistory(channel, isHere, { isAnew }) {
  const list = byTestId("messages");
  if (isAnew) messages.beginAnew();
  list.setAttribute("aria-busy", "true"); // a screen reader should not read a hundred messages aloud
  try {
    const { publications = [] } = await channel.history({ limit: HISTORY, reverse: true });
    if (!isHere()) return;
    for (const publication of publications.reverse()) received(publication, { isLive: false });
    if (isAnew) messages.forgetEarlier();
    messages.showEmpty(`Welcome to #${room}`, "Nothing has been said here yet. Share the link, or write the first message.");
    messages.scrollToEnd();
  } catch (error) {
    if (isHere()) showNotice(`The history could not be read: ${error.message}.`);
  } finally {
    list.removeAttribute("aria-busy");
  }
}

function showRooms() {
  const known = memory.read("rooms", ROOMS).filter((one) => typeof one === "string");
  if (!known.includes(room)) memory.write("rooms", [...known, room].slice(-20));
  const link = (one) => {
    const anchor = element("a", { href: `#${encodeURIComponent(one)}` }, one);
    if (one === room) anchor.setAttribute("aria-current", "page");
    return element("li", {}, anchor);
  };
  page("rooms").replaceChildren(...[...new Set([...known, room])].map(link));
}

page("room-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const wanted = roomName(event.target.room.value);
  event.target.reset();
  if (!wanted) return;
  location.hash = encodeURIComponent(wanted);
  openMenu(false);
  input.focus();
});
addEventListener("hashchange", () => {
  enter(roomFromHash());
  openMenu(false);
});

// ---- messages -------------------------------------------------------------------------------------------------------

function received(publication, { isLive }) {
  const message = toMessage(publication);
  const isOwn = sentHere.has(message.id) || message.name === name;
  const isNew = messages.add(message, { offset: publication.offset ?? Infinity, isOwn, isLive });
  typing.stopped(message.name);
  if (isNew && isLive && !isOwn && document.hidden) countUnread();
}

function send() {
  const text = input.value.trim();
  if (!text) return;
  lastWire = client.transport || lastWire;
  const message = { id: randomId(), name, text: text.slice(0, MAX_LENGTH), at: Date.now(), wire: lastWire };
  input.value = "";
  draftChanged();
  stopTyping();
  sentHere.add(message.id);
  messages.add(message, { state: "sending", isOwn: true, isLive: true });
  deliver(message);
}

/**
 * Without a connection it waits in the session, which sends it once, whatever happens to its wires. A session that ends
 * does not know whether it has sent it: the next one is given it under the same key.
 */
async function deliver(message) {
  const channel = `chat:${room}`;
  messages.setState(message.id, "sending");
  for (let delivery = 1; ; delivery += 1) {
    const session = client;
    try {
      await session.publish(channel, message, { key: message.id });
      return messages.setState(message.id, "sent");
    } catch (error) {
      if (messages.hasArrived(message.id)) return;
      const isOpenAnew = error.code === OUTCOME_UNKNOWN && session !== client;
      const mayRetry = delivery < DELIVERIES && (error.temporary || isOpenAnew);
      if (!mayRetry) return messages.setState(message.id, "failed", error.message);
      if (!isOpenAnew) await new Promise((done) => setTimeout(done, delivery * PAUSE));
    }
  }
}

// ---- writing --------------------------------------------------------------------------------------------------------

let lastSignal = 0;

function signal(data) {
  if (client.state === "live") client.publish(`typing:${room}`, { name, page: thisPage, ...data }).catch(() => {});
}

function stopTyping() {
  if (lastSignal) signal({ stopped: true });
  lastSignal = 0;
}

function draftChanged() {
  input.style.height = "auto";
  input.style.height = `${input.scrollHeight}px`;
  byTestId("send").disabled = !input.value.trim();
  const left = MAX_LENGTH - input.value.length;
  page("count").hidden = left > 200;
  page("count").textContent = `${left} left`;
  page("count").classList.toggle("near", left < 50);
}

input.addEventListener("input", () => {
  draftChanged();
  if (!input.value.trim()) return stopTyping();
  if (Date.now() - lastSignal < TYPING_EVERY) return;
  lastSignal = Date.now();
  signal({});
});
input.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  send();
});
page("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  send();
  input.focus();
});

// ---- the name -------------------------------------------------------------------------------------------------------

function showName() {
  nameInput.value = name;
  const mine = avatar(name);
  mine.id = "my-avatar";
  page("my-avatar").replaceWith(mine);
}

function takeName() {
  const wanted = nameInput.value.trim().replace(/\s+/g, " ").slice(0, 32);
  if (wanted && wanted !== name) {
    name = wanted;
    memory.write("name", name);
    openAnew();
  }
  showName();
}

nameInput.addEventListener("blur", takeName);
nameInput.addEventListener("keydown", (event) => event.key === "Enter" && nameInput.blur());

// ---- the frame around it --------------------------------------------------------------------------------------------

let unread = 0;

function showTitle() {
  document.title = `${unread ? `(${unread}) ` : ""}#${room} · wirehop chat`;
}

function countUnread() {
  unread += 1;
  showTitle();
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  unread = 0;
  showTitle();
});

function showNotice(text) {
  page("notice").textContent = text;
  page("notice").hidden = !text;
}

function openMenu(isOpen) {
  page("chat").classList.toggle("menu-open", isOpen);
  page("menu-button").setAttribute("aria-expanded", String(isOpen));
}

page("menu-button").addEventListener("click", () => openMenu(true));
page("shade").addEventListener("click", () => openMenu(false));
addEventListener("keydown", (event) => event.key === "Escape" && openMenu(false));
page("share").addEventListener("click", async () => {
  const link = new URL(`#${encodeURIComponent(room)}`, location.href.split(/[?#]/)[0]).href;
  try {
    await navigator.clipboard.writeText(link);
    page("share").title = "Copied";
  } catch {
    prompt("The link to this room:", link); // no clipboard on plain HTTP
  }
});

showName();
enter(roomFromHash());
if (matchMedia("(pointer: fine)").matches) input.focus(); // on a phone the keyboard would cover the room
