// The board: pipelines of this server and what `wirehop run` announces, each with its jobs and their logs. What is shown
// stands in the address: `#run/job/line`.

import { connect } from "../sdk/wirehop.js";
import { Breaks } from "../breaks.js";
import { mountDemoTools } from "../demo-tools.js";
import { firstChoice, mountTransportBar } from "../transport-bar.js";
import { SERVER, byTestId, element, memory, mountState, randomId, setText } from "../ui.js";
import { Graph } from "./graph.js";
import { LogPanel } from "./log-panel.js";
import { RunList, announced, newestFirst, stateOf } from "./run-list.js";
import { STATES, duration, elapsed, isOver, secondsLeft } from "./words.js";

const MOST_ANNOUNCED = 50;
const TICK = 250; // milliseconds

const page = (id) => document.getElementById(id);
const seed = Math.trunc(Math.abs(Number(new URLSearchParams(location.search).get("seed")) || 1)) % 1_000_000;
const name = memory.read("name", "") || `visitor ${randomId(2)}`;
const breaks = new Breaks();
const client = connect(SERVER, { wires: firstChoice(), data: { name }, context: breaks.context });
const bar = mountTransportBar(page("transport"), client, { breaks });
mountState(byTestId("state"), client);
mountDemoTools(page("tools"), { demo: "board", client: () => client, bots: "viewers" });

const runs = new Map(); // key → run
let sent = 0; // orders of this page
let address = readAddress();
let shownRun; // the run that is shown
let shownJob; // its job whose log is shown

const panel = new LogPanel(() => client, { link: (line) => `#${shownRun?.run}/${encodeURIComponent(shownJob?.name ?? "")}/${line}`, changed: tally });
const list = new RunList(page("runs"), (run) => `#${run.run}`);
const graph = new Graph(page("graph"), (job) => (location.hash = `${shownRun.run}/${encodeURIComponent(job)}`));

// ---- what is shown --------------------------------------------------------------------------------------------------

function readAddress() {
  const [run = "", job = "", line = ""] = location.hash.slice(1).split("/");
  try {
    return { run, job: decodeURIComponent(job), line: Number(line) || 0 };
  } catch {
    return { run, job: "", line: 0 }; // not valid percent-encoding
  }
}

addEventListener("hashchange", () => {
  address = readAddress();
  show();
});

/** The job whose log is looked at when nobody has said which: one that failed, else one that runs, else the last. */
const natural = (jobs) => jobs.find(({ state }) => state === "failed") ?? jobs.find(({ state }) => state === "running") ?? jobs.findLast(({ run }) => run) ?? jobs[0];

function show() {
  const all = newestFirst(runs.values());
  shownRun = all.find(({ run }) => run === address.run) ?? (address.run ? undefined : all[0]);
  list.show(all, shownRun);
  page("empty").hidden = Boolean(shownRun);
  page("detail").hidden = !shownRun;
  setText(page("empty-text"), address.run && all.length ? "This run is not on the board any more." : "Nothing has run yet. Start a pipeline, or run a command of your own:");
  if (!shownRun) return;
  shownJob = shownRun.jobs.find((job) => job.name === address.job) ?? natural(shownRun.jobs);
  showHead();
  const { channel, run, since, state } = shownJob;
  const note = state === "waiting" ? `Waits for ${shownJob.needs.join(", ") || "its turn"}.` : `It did not run: ${STATES[state].word}.`;
  const log = run && state !== "waiting" ? { channel, run, since, name: `${shownRun.title}-${shownJob.name}` } : undefined;
  panel.show(log, { line: address.line, note });
  setText(page("log-title"), shownJob.name);
  tally();
}

/** What changes with time. */
function showHead() {
  const state = stateOf(shownRun);
  const now = Date.now();
  page("detail").dataset.state = state;
  setText(page("title"), shownRun.number ? `${shownRun.title} #${shownRun.number}` : shownRun.title);
  setText(page("run-state"), `${STATES[state].glyph} ${STATES[state].word}`);
  const left = secondsLeft(shownRun.jobs, now);
  const eta = state === "running" && left > 0 && left < 300 ? ` · about ${duration(left)} left` : "";
  const code = isOver(state) && shownRun.jobs.length === 1 && shownRun.jobs[0].ended ? ` · exit code ${shownRun.jobs[0].code}` : "";
  setText(page("run-time"), `${duration(elapsed(shownRun, now))}${eta}${code} · by ${shownRun.by}`);
  page("cancel").hidden = isOver(state) || (shownRun.isAnnounced && !shownRun.control);
  page("rerun").hidden = !isOver(state) || Boolean(shownRun.isAnnounced);
  page("rerun-job").hidden = page("rerun").hidden || shownRun.jobs.length < 2;
  page("cancel-job").hidden = page("cancel").hidden || shownRun.jobs.length < 2 || shownJob.state !== "running";
  setText(page("rerun"), shownRun.jobs.some((job) => job.state !== "passed") && shownRun.jobs.length > 1 ? "Rerun failed" : "Rerun");
  graph.show(shownRun.jobs, shownJob.name);
}

setInterval(() => {
  if (document.hidden || !shownRun) return;
  list.show(newestFirst(runs.values()), shownRun);
  showHead();
}, TICK);

const earlier = { received: 0, doubled: 0 }; // of logs that were shown before
let counted = { received: 0, doubled: 0 };

/** The counts of the transport bar: of all logs that this page has shown. */
function tally() {
  const { store, follower } = panel;
  if (!follower) return;
  if (counted.follower !== follower) {
    earlier.received += counted.received;
    earlier.doubled += counted.doubled;
  }
  counted = { follower, received: follower.received, doubled: store.doubled };
  bar.tally.received = earlier.received + counted.received;
  bar.tally.doubled = earlier.doubled + counted.doubled;
  bar.tally.missing = follower.isReading ? 0 : store.missing;
  bar.tally.changed();
}

// ---- channels -------------------------------------------------------------------------------------------------------

const states = client.channel("board:pipelines"); // the newest state of each run
const offsets = new Map(); // of what is known

function told({ data, offset }) {
  if (typeof data?.key !== "string" || !Array.isArray(data.jobs) || offset <= (offsets.get(data.key) ?? 0)) return;
  const known = runs.get(data.key);
  if (known?.run === data.run && known.state !== data.state) say(`${data.title} #${data.number}: ${STATES[data.state].word}`);
  offsets.set(data.key, offset);
  runs.set(data.key, data);
}

states.on("publication", (publication) => {
  told(publication);
  show();
});
states.on("subscribed", async ({ recovered }) => {
  if (recovered) return;
  for (const key of offsets.keys()) runs.delete(key); // perhaps it is another server by now
  offsets.clear();
  try {
    const { publications = [] } = await states.history({ limit: 100 });
    publications.forEach(told);
  } catch (error) {
    notice(`The board could not be read: ${error.message}.`);
  }
  show();
});

const commands = client.channel("run:all");
const announce = (status) => {
  const run = announced(status);
  if (!run || (runs.get(run.key)?.at ?? 0) > run.at) return;
  runs.set(run.key, run);
  const others = newestFirst([...runs.values()].filter(({ isAnnounced }) => isAnnounced));
  for (const { key } of others.slice(MOST_ANNOUNCED)) runs.delete(key);
};
commands.on("publication", ({ data }) => {
  announce(data);
  show();
});
commands.on("subscribed", async ({ recovered }) => {
  if (recovered) return;
  try {
    const { publications = [] } = await commands.history({ limit: 500, reverse: true });
    for (const { data } of publications.reverse()) announce(data);
  } catch (error) {
    notice(`Commands from elsewhere could not be read: ${error.message}.`);
  }
  show();
});

// ---- orders ---------------------------------------------------------------------------------------------------------

async function order(button, work) {
  button.disabled = true;
  sent++;
  try {
    await work();
    notice("");
  } catch (error) {
    notice(error.message);
  } finally {
    button.disabled = false;
  }
}

function cancel(job) {
  const { run, control } = shownRun;
  if (!shownRun.isAnnounced) return client.rpc("board.cancel", { run, job });
  return client.publish(control, { run, do: "cancel" }, { key: `${run}:${randomId(4)}` });
}

page("cancel").addEventListener("click", (event) => order(event.target, () => cancel("")));
page("cancel-job").addEventListener("click", (event) => order(event.target, () => cancel(shownJob.name)));
page("rerun").addEventListener("click", (event) => order(event.target, () => client.rpc("board.rerun", { run: shownRun.run })));
page("rerun-job").addEventListener("click", (event) => order(event.target, () => client.rpc("board.rerun", { run: shownRun.run, job: shownJob.name })));

async function offer() {
  const pipelines = await client.rpc("board.pipelines");
  page("starts").replaceChildren(...pipelines.map(({ name: pipeline, title, about }) => {
    const button = element("button", { type: "button", className: "button start", dataset: { testid: `start-${pipeline}` } }, element("b", {}, title), element("small", {}, about));
    button.addEventListener("click", () => order(button, async () => {
      const { run } = await client.rpc("board.start", { pipeline, seed });
      location.hash = run;
    }));
    return button;
  }));
}
offer().catch((error) => notice(`What can be started is not known: ${error.message}.`));
setText(page("example"), `wirehop run --url ${new URL(SERVER).origin} -- make test`);

// ---- words ----------------------------------------------------------------------------------------------------------

function notice(text) {
  setText(page("notice"), text);
  page("notice").hidden = !text;
}

function say(text) {
  setText(page("said"), text);
}

window.wirehopDemo = {
  get sent() { return sent; },
  get received() { return bar.tally.received; },
  get duplicates() { return bar.tally.doubled; },
  get gaps() { return bar.tally.missing; },
  get resumes() { return client.moves; },
  get transport() { return client.transport; },
  get lines() { return panel.store.length; },
  get held() { return panel.store.held; },
  get isReading() { return Boolean(panel.follower?.isReading); },
  log: (from, to) => panel.store.texts.slice(from - 1, to).map((text, index) => [panel.store.times[from - 1 + index], text]),
};
show();
