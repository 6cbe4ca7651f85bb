// The page of notifications: one connection for all tabs, one inbox for all devices.
//
// The server keeps the inbox. `notices.open` gives all of it and a position; from there on the channel brings each change,
// whatever happens to the wires; where something was missed it is opened again. Everything else is drawing.

import { connect } from "../sdk/wirehop.js";
import { randomName } from "../chat/people.js";
import { mountDemoTools } from "../demo-tools.js";
import { firstChoice, mountTransportBar } from "../transport-bar.js";
import { SERVER, element, memory, mountState, randomId, setText } from "../ui.js";
import { Badge } from "./badge.js";
import { Chime } from "./chime.js";
import { InboxView, actionButton } from "./inbox-view.js";
import { Inbox } from "./inbox.js";
import { Repository } from "./repository.js";
import { SettingsForm, isQuiet } from "./settings.js";
import { TabBreaks, otherTabs } from "./tabs.js";
import { Toasts } from "./toasts.js";
import { isAlarm, sentence, summary } from "./words.js";

const ATTEMPTS = 3;
const PAUSE = 1_000; // milliseconds
const OUTCOME_UNKNOWN = 120;
const NOT_AVAILABLE = 108;
const TOGETHER = 250; // milliseconds: what comes within is announced together
const LOOKED_AT = 700; // milliseconds: what stands in an open inbox so long was seen
const UNREAD = ["unseen", "seen"];

const page = (id) => document.getElementById(id);
const parameters = new URLSearchParams(location.search);
const seed = Math.abs(Number.parseInt(parameters.get("seed"), 10) || 1) % 1_000_000_000;
const user = (parameters.get("user") || memory.read("notices-user", "") || memory.read("name", "") || randomName()).trim().slice(0, 32);
if (!parameters.get("user")) memory.write("notices-user", user);

// ---- the connection -------------------------------------------------------------------------------------------------

const breaks = new TabBreaks(user);
const client = connect(SERVER, { shared: `notifications ${user}`, wires: firstChoice(), data: { name: user }, context: breaks.context });
const bar = mountTransportBar(page("transport"), client, { breaks });
breaks.share(bar);
mountState(page("role").previousElementSibling, client);
mountDemoTools(page("tools"), { demo: "notifications", client: () => client, bots: "colleagues" });

let channel; // of the inbox
let opening; // while it is asked for
let sent = 0;

/** What is not known to be done is asked for again: everything asked here may be, for it is done once. */
async function ask(method, data) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await client.rpc(method, data);
    } catch (error) {
      const mayRetry = error.temporary || error.code === OUTCOME_UNKNOWN || error.code === NOT_AVAILABLE;
      if (!mayRetry || attempt === ATTEMPTS || client.state === "closed") throw error;
      if (error.code === NOT_AVAILABLE && method !== "notices.open") await open(); // the server has forgotten it
      else await new Promise((done) => setTimeout(done, attempt * PAUSE));
    }
  }
}

/** The whole inbox, now; and what is said of it from then on. */
function open() {
  opening ??= ask("notices.open", { seed })
    .then(take, (error) => showNotice(`The inbox cannot be read: ${error.message}.`))
    .finally(() => (opening = undefined));
  return opening;
}

function take(opened) {
  const isAnother = opened.channel !== channel?.name;
  if (isAnother) follow(opened);
  news(inbox.open(opened, { isAnother }), opened.revision);
  showNotice("");
  document.body.dataset.ready = "true";
  if (isAnother) visit();
}

function follow({ channel: name, position }) {
  channel?.unsubscribe();
  const followed = (channel = client.channel(name, { position }));
  bar.watch(followed);
  followed.on("subscribed", ({ recovered }) => recovered === false && followed === channel && open());
  followed.on("publication", ({ data }) => {
    if (followed !== channel) return;
    const fresh = inbox.apply(data);
    if (fresh) news(fresh, data.revision);
    else open();
  });
}

const items = client.channel("repository:lighthouse");
items.on("publication", ({ data }) => repository.take(data));

// ---- the inbox ------------------------------------------------------------------------------------------------------

const toasts = new Toasts(page("toasts"));
const chime = new Chime(user);
const badge = new Badge({ bell: page("bell"), badge: page("badge"), icon: page("icon") });
const inbox = new Inbox({ changed: () => soon(), say: ask, tell: otherTabs(user, (message) => inbox.heard(message)) });
const view = new InboxView(
  { list: page("notices"), views: page("views"), digest: page("digest"), foot: page("inbox-foot") },
  { open: visited, set: setStates, answer, dismiss: () => ask("notices.dismiss").catch(refused) },
);
const settings = new SettingsForm(page("settings"), (wanted) => {
  inbox.settings = wanted;
  soon();
  ask("notices.configure", wanted).catch(refused);
});

let isDue = false;

/** Once a frame, however much comes; a hidden page has no frames, and a title all the same. */
function soon() {
  badge.show(inbox.sums.unseen);
  if (isDue) return;
  isDue = true;
  requestAnimationFrame(() => {
    isDue = false;
    draw();
  });
}

function draw() {
  view.draw(inbox);
  repository.draw();
  settings.show(inbox.settings);
  page("quiet-sign").hidden = !isQuiet(inbox.settings);
  page("mark-all").disabled = !inbox.sums.unread;
  toasts.closeWhere((key) => ids(key).length > 0 && ids(key).every((id) => inbox.get(id)?.state !== "unseen"));
  look();
}

/** The notices that a toast is about. */
const ids = (key) => (key.startsWith("n") ? key.split(" ") : []);

let looking;

/** What is new in an inbox that one looks at was seen a moment later. */
function look() {
  clearTimeout(looking);
  if (page("inbox").hidden || document.hidden || !page("settings").hidden || !inbox.sums.unseen) return;
  looking = setTimeout(() => {
    const unseen = inbox.list().filter(({ state }) => state === "unseen");
    inbox.set(Object.fromEntries(unseen.map(({ id }) => [id, "seen"]))).catch(refused);
  }, LOOKED_AT);
}

/** Here at once; where it takes much away there is a way back. */
async function setStates(states, label = "") {
  const known = Object.keys(states).filter((id) => inbox.get(id) && inbox.get(id).state !== states[id]);
  const before = Object.fromEntries(known.map((id) => [id, inbox.get(id).state]));
  const isMuch = known.length > 1 || label === "Archive";
  if (isMuch) {
    const undo = element("button", { type: "button", className: "button tool", dataset: { testid: "undo" } }, "Undo");
    undo.addEventListener("click", () => inbox.set(before).catch(refused));
    const done = label === "Archive" ? "Archived." : `${known.length} notices marked as read.`;
    toasts.show("undo", { children: [done], buttons: [undo], tone: "plain" });
  }
  await inbox.set(states).catch(refused);
}

function answer(id, action) {
  return ask("notices.answer", { id, action }).catch(refused);
}

function visited(id) {
  setStates({ [id]: "read" });
  repository.open(inbox.get(id)?.item, { isScrolled: true });
  if (matchMedia("(max-width: 900px)").matches) openInbox(false);
}

// ---- what is new ----------------------------------------------------------------------------------------------------

const batch = new Map(); // id → how many events are new
let batchRevision = 0;
let announced = 0; // toasts of what is new
let announcing;

function news(fresh, revision) {
  if (!fresh.length) return;
  for (const { notice, more } of fresh) batch.set(notice.id, (batch.get(notice.id) ?? 0) + more);
  batchRevision = revision;
  announcing ??= setTimeout(announce, TOGETHER);
}

/** One sound in all tabs; one toast for one thing, and one for many. */
function announce() {
  announcing = undefined;
  const loud = [...batch]
    .map(([id, more]) => ({ notice: inbox.get(id), more }))
    .filter(({ notice }) => notice?.state === "unseen" && !notice.silent && !isQuiet(inbox.settings));
  batch.clear();
  if (!loud.length) return;
  if (inbox.settings.sound) chime.ring(channel.name, batchRevision);
  if (document.hidden || !page("inbox").hidden) return;
  const all = loud.reduce((sum, { more }) => sum + more, 0);
  const isMany = loud.length > 1 && all > 2;
  announced += isMany ? 1 : loud.length;
  if (isMany) toastOfMany(loud, all);
  else for (const { notice } of loud) toastOfOne(notice);
}

function toastOfOne(notice) {
  const buttons = (notice.actions ?? []).map((action, index) => actionButton(action, index === 0, () => answer(notice.id, action)));
  toasts.show(notice.id, { children: sentence(notice), buttons, href: `#${notice.item}`, opened: () => visited(notice.id), tone: isAlarm(notice) ? "alarm" : "" });
}

function toastOfMany(loud, all) {
  const topics = {};
  for (const { notice, more } of loud) topics[notice.topic] = (topics[notice.topic] ?? 0) + more;
  const show = element("button", { type: "button", className: "button tool primary" }, "Show");
  show.addEventListener("click", () => openInbox(true));
  toasts.show(loud.map(({ notice }) => notice.id).join(" "), { children: [element("b", {}, `${all} new`), `: ${summary(topics)}`], buttons: [show] });
}

// ---- the repository -------------------------------------------------------------------------------------------------

const repository = new Repository(page("items"), {
  seed,
  act,
  unread: (item) => inbox.list().filter((notice) => notice.item === item && UNREAD.includes(notice.state)).length,
});

/** Somebody does something. Under a key it is done once, however often it has to be asked for. */
async function act(wanted, key = randomId()) {
  sent += 1;
  const to = wanted.verb === "mention" || wanted.verb === "request" ? user : "";
  try {
    return await ask("notices.act", { ...wanted, to, key });
  } catch (error) {
    return refused(error);
  }
}

async function twice() {
  const key = randomId();
  const wanted = { item: "issue-18", verb: "mention", by: "Kaya Brook", text: "Did you get this once?" };
  const [, second] = await Promise.all([act(wanted, key), act(wanted, key)]);
  setText(page("said"), second?.known ? "Said twice under one key: the server knew the second, and you are told once." : "");
}

const times = (count, run) => Array.from({ length: count }, run);
const HAPPENS = {
  mention: () => repository.let("issue-12", "mention"),
  request: () => repository.let("pull-31", "request"),
  likes: () => times(3, () => repository.let("note-5", "like")),
  fail: () => repository.let("deploy-tower", "fail"),
  five: () => [...times(3, () => repository.let("note-7", "like")), ...times(2, () => repository.let("issue-18", "comment"))],
  twice,
};
for (const [name, run] of Object.entries(HAPPENS)) {
  document.querySelector(`[data-testid="happen-${name}"]`).addEventListener("click", () => {
    setText(page("said"), "");
    run();
  });
}

/** The address names an item: it is opened, and what is told of it is read by that. */
function visit() {
  const item = location.hash.slice(1);
  repository.open(item, { isScrolled: Boolean(item) });
  if (!item || document.hidden) return;
  const about = inbox.list().filter((notice) => notice.item === item && UNREAD.includes(notice.state));
  inbox.set(Object.fromEntries(about.map(({ id }) => [id, "read"]))).catch(refused);
}

// ---- the frame around it --------------------------------------------------------------------------------------------

function openInbox(isOpen, { isFirst = false } = {}) {
  page("inbox").hidden = !isOpen;
  page("desk").classList.toggle("with-inbox", isOpen);
  page("bell").setAttribute("aria-expanded", String(isOpen));
  try {
    sessionStorage.setItem("wirehop.notices-open", isOpen ? "1" : "");
  } catch {
    // it is closed again after a reload
  }
  if (isFirst) return;
  if (isOpen) page("inbox-title").focus({ preventScroll: true });
  else page("bell").focus({ preventScroll: true });
  soon();
}

function openSettings(isOpen) {
  page("settings").hidden = !isOpen;
  page("inbox-content").hidden = isOpen;
  page("mark-all").hidden = isOpen;
  page("settings-button").setAttribute("aria-pressed", String(isOpen));
  setText(page("inbox-title"), isOpen ? "Settings" : "Inbox");
  soon();
}

function showNotice(text) {
  setText(page("notice"), text);
  page("notice").hidden = !text;
}

function refused(error) {
  if (client.state !== "closed") toasts.show("refused", { children: [`Not done: ${error.message}.`], tone: "alarm" });
}

page("bell").addEventListener("click", () => openInbox(page("inbox").hidden));
page("close-inbox").addEventListener("click", () => openInbox(false));
page("settings-button").addEventListener("click", () => openSettings(page("settings").hidden));
page("mark-all").addEventListener("click", () => {
  const unread = inbox.list().filter(({ state }) => UNREAD.includes(state));
  setStates(Object.fromEntries(unread.map(({ id }) => [id, "read"])), "Mark all read");
});
page("inbox").addEventListener("keydown", (event) => event.key === "Escape" && openInbox(false));
page("user").value = user;
page("user").addEventListener("change", ({ target }) => {
  const wanted = target.value.trim().slice(0, 32);
  if (!wanted || wanted === user) return;
  memory.write("notices-user", wanted);
  const address = new URL(location.href);
  address.searchParams.delete("user");
  location.replace(address.search === location.search ? location.href : address.href);
  if (address.search === location.search) location.reload();
});
addEventListener("hashchange", visit);
document.addEventListener("visibilitychange", () => document.hidden || soon());

const ROLES = { leader: "leading tab", follower: "following tab", alone: "on its own" };
let wasQuiet = false;

setInterval(() => {
  setText(page("role"), client.state === "live" ? ROLES[client.role] : "");
  const isNow = isQuiet(inbox.settings);
  if (wasQuiet && !isNow) open(); // what was held back meanwhile is summed up
  if (wasQuiet !== isNow) soon();
  wasQuiet = isNow;
}, 500);

window.wirehopDemo = {
  get sent() { return sent; },
  get received() { return bar.tally.received; },
  get duplicates() { return bar.tally.doubled; },
  get gaps() { return bar.tally.missing; },
  get resumes() { return client.moves; },
  get transport() { return client.transport; },
  get role() { return client.role; },
  get badge() { return badge.count; },
  get toasts() { return announced; },
  get sounds() { return chime.played; },
  get notices() { return inbox.list(); },
  breaks,
}; // prettier-ignore

openInbox(sessionStorageOpen(), { isFirst: true });
open();

function sessionStorageOpen() {
  try {
    return sessionStorage.getItem("wirehop.notices-open") === "1";
  } catch {
    return false;
  }
}
