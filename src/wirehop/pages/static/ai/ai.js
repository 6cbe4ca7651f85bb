// AI answers: a conversation is a channel, and its id is in the address. Who has the link reads along.

import { connect } from "../sdk/wirehop.js";
import { Breaks } from "../breaks.js";
import { People, randomName } from "../chat/people.js";
import { mountDemoTools } from "../demo-tools.js";
import { firstChoice, mountTransportBar } from "../transport-bar.js";
import { SERVER, byTestId, element, memory, mountState, randomId, setText } from "../ui.js";
import { Conversation } from "./conversation.js";
import { Library } from "./library.js";
import { isOpen } from "./thread.js";
import { ThreadView } from "./thread-view.js";

const SUGGESTIONS = ["Compare the wires in a table", "Show me some code in Python", "Why does an answer stall behind a proxy?", "Count to 1000", "Fail in the middle"];
const ID = /^[0-9a-f]{24,40}$/;

const page = (id) => document.getElementById(id);
const prompt = byTestId("prompt");
const seed = new URLSearchParams(location.search).get("seed") ?? "";
const name = memory.read("name", "") || randomName();
memory.write("name", name);

// ---- the session ----------------------------------------------------------------------------------------------------

const breaks = new Breaks();
const client = connect(SERVER, { wires: firstChoice(), data: { name }, context: breaks.context });
mountState(byTestId("state"), client);
const bar = mountTransportBar(page("transport"), client, { breaks });
mountDemoTools(page("tools"), { demo: "ai", client: () => client, bots: "Askers" });

const about = client.rpc("ai.about");
about.then(showAbout, (error) => showNotice(`Nobody answers here: ${error.message}.`));
const figures = client.channel("ai-desk:figures");
figures.on("publication", ({ data }) => showFigures(data));

function showAbout(given) {
  setText(byTestId("model"), given.is_toy ? "a toy" : given.name);
  page("toy").hidden = !given.is_toy;
  showFigures(given.figures);
}

function showFigures({ running, waiting, refused, forgotten, at_once: atOnce }) {
  setText(byTestId("running"), `${running} of ${atOnce}`);
  setText(byTestId("waiting"), String(waiting));
  setText(byTestId("refused"), String(refused));
  setText(byTestId("forgotten"), String(forgotten));
}

// ---- the conversation -----------------------------------------------------------------------------------------------

const library = new Library({ list: page("library"), empty: page("no-conversations") });
const people = new People({ list: byTestId("viewers"), count: page("viewers-count"), me: () => name });
const sent = new Set(); // ids of our questions
let conversation;

const view = new ThreadView({
  list: page("thread"),
  scroller: page("scroller"),
  toEnd: page("to-end"),
  drawn: (rows) => {
    page("stop-all").hidden = !running(rows).length;
    page("welcome").hidden = rows.length > 0;
    mayAsk();
  },
  acts: {
    ask: (text, parent) => ask(text, parent),
    resend: (message) => conversation.resend(message),
    again: (message) => told(conversation.again(message)),
    stop: (message) => told(conversation.stop(message)),
    choose(message) {
      conversation.thread.choose(message);
      view.draw();
    },
    async copy(button, text) {
      try {
        await navigator.clipboard.writeText(text);
        setText(button, "Copied");
      } catch {
        setText(button, "Not allowed"); // no clipboard on plain HTTP
      }
      setTimeout(() => setText(button, "Copy"), 1500);
    },
  },
});

const running = (rows) => rows.flatMap(({ beside }) => beside.filter(isOpen));

/** Nothing more is known of it than that it did not work. */
const told = (done) => done.then(() => showNotice(""), (error) => showNotice(`That did not work: ${error.message}.`));

function enter(id) {
  conversation?.close();
  people.clear();
  showNotice("");
  conversation = new Conversation(id || randomId(16), {
    client,
    people,
    watch: (channel) => bar.watch(channel),
    changed: () => view.soon(),
    replaced() {
      showTitle(this.title);
      library.add(this.id, this.title);
      view.show(this.thread);
      page("viewers").hidden = false;
    },
    gone(reason) {
      showNotice(reason);
      page("welcome").hidden = this.thread.messages.size > 0;
    },
  });
  page("viewers").hidden = true;
  page("welcome").hidden = !!id;
  showTitle("");
  library.show(id);
  view.show(conversation.thread);
  page("welcome").hidden = !!id;
  if (id) conversation.open();
}

function ask(text, parent, answers = 1) {
  const id = randomId();
  sent.add(id);
  if (!conversation.thread.messages.size) {
    history.pushState(null, "", `#${conversation.id}`); // the address is a link from now on
    showTitle(text.slice(0, 60));
    library.show(conversation.id);
  }
  conversation.ask(id, text, { parent: parent ?? endOfBranch(), answers, seed, author: name });
  view.scrollToEnd();
}

/** What a new question goes on from. One that was not taken is no place to go on from. */
function endOfBranch() {
  const last = view.rows.at(-1)?.chosen;
  return last?.state === "unsent" ? last.parent : (last?.id ?? "");
}

function showTitle(title) {
  setText(page("title"), title || "New conversation");
  document.title = `${title || "AI answers"} · wirehop`;
}

const idFromHash = () => (ID.test(location.hash.slice(1)) ? location.hash.slice(1) : "");
const follow = () => idFromHash() !== (conversation.thread.messages.size ? conversation.id : "") && enter(idFromHash());
addEventListener("hashchange", () => {
  follow();
  openMenu(false);
  prompt.focus();
});
addEventListener("popstate", follow);

// ---- writing --------------------------------------------------------------------------------------------------------

function draftChanged() {
  prompt.style.height = "auto";
  prompt.style.height = `${prompt.scrollHeight}px`;
  mayAsk();
}

/** One question after the other: the next one follows the answer to the last. */
function mayAsk() {
  const last = view.rows?.at(-1)?.chosen;
  const isTaken = last?.role !== "user" || last.state === "unsent";
  byTestId("send").disabled = !isTaken || !prompt.value.trim();
  return isTaken;
}

function send() {
  const text = prompt.value.trim();
  if (!text || !mayAsk()) return;
  prompt.value = "";
  draftChanged();
  ask(text, undefined, Number(byTestId("answers").value));
}

prompt.addEventListener("input", draftChanged);
prompt.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  send();
});
page("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  send();
  prompt.focus();
});
page("suggestions").append(...SUGGESTIONS.map((text) => {
  const suggestion = element("button", { type: "button", className: "button", dataset: { testid: "suggestion" } }, text);
  suggestion.addEventListener("click", () => ask(text));
  return element("li", {}, suggestion);
}));

function stopAll() {
  for (const message of running(view.rows)) told(conversation.stop(message));
}

page("stop-all").addEventListener("click", stopAll);

// ---- the frame around it --------------------------------------------------------------------------------------------

function showNotice(text) {
  page("notice").textContent = text;
  page("notice").hidden = !text;
}

function openMenu(isOpened) {
  page("chat").classList.toggle("menu-open", isOpened);
  page("menu-button").setAttribute("aria-expanded", String(isOpened));
}

page("menu-button").addEventListener("click", () => openMenu(true));
page("shade").addEventListener("click", () => openMenu(false));
addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const isMenu = page("chat").classList.contains("menu-open");
  openMenu(false);
  if (!isMenu && !event.target.closest?.("[popover], .edit")) stopAll();
});
page("share").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(location.href.replace(/\?[^#]*/, ""));
    page("share").title = "Copied";
  } catch {
    window.prompt("The link to this conversation:", location.href); // no clipboard on plain HTTP
  }
});

/** For tests and the curious. */
window.wirehopDemo = {
  get sent() { return sent.size; },
  get received() { return bar.tally.received; },
  get duplicates() { return bar.tally.doubled; },
  get gaps() { return bar.tally.missing + conversation.thread.gaps; },
  get resumes() { return client.moves; },
  get transport() { return client.transport; },
};

enter(idFromHash());
if (matchMedia("(pointer: fine)").matches) prompt.focus(); // on a phone the keyboard would cover the page
