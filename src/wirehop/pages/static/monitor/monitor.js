// The monitor: what monitor.py publishes to `monitor:system` and `monitor:server`, drawn.

import { connect } from "../sdk/wirehop.js";
import { Breaks } from "../breaks.js";
import { firstChoice, mountTransportBar } from "../transport-bar.js";
import { SERVER, WIRE_LABELS, byTestId, element, mountState } from "../ui.js";
import { Chart, ChartGroup } from "./chart.js";

const SECONDS = 90; // the width of the charts
const STALE_AFTER = 3000;
const ROWS = 10;
const LABELS = { ...WIRE_LABELS, stream: "HTTP stream", events: "Channel URL", http: "HTTP requests" };

const page = (id) => document.getElementById(id);
const breaks = new Breaks();
const client = connect(SERVER, { wires: firstChoice(), data: { name: "monitor" }, context: breaks.context });
const bar = mountTransportBar(page("transport"), client, { breaks });
mountState(byTestId("state"), client);

// ---- numbers as text ------------------------------------------------------------------------------------------------

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** Three digits and a unit: [“12.4”, “MiB”]. */
function bytes(value) {
  const power = value < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(value) / 10));
  const scaled = value / 1024 ** power;
  return [scaled >= 100 || power === 0 ? scaled.toFixed(0) : scaled.toFixed(1), UNITS[power]];
}

const short = (number) => number.replace(/\.0$/, "");
const asBytes = (value, { isAxis = false } = {}) => (isAxis ? `${short(bytes(value)[0])} ${bytes(value)[1].replace("iB", "")}` : bytes(value).join(" "));
const asRate = (value, options = {}) => (options.isAxis ? asBytes(value, options) : `${asBytes(value)}/s`);
const asPercent = (value, { isAxis = false } = {}) => `${isAxis ? Math.round(value) : value.toFixed(1)}${isAxis ? "%" : " %"}`;
const asCount = (value, { isAxis = false } = {}) => {
  if (value >= 10_000) return `${short((value / 1000).toFixed(1))} k`;
  return isAxis || value >= 100 ? short(value.toFixed(1)) : value.toFixed(1);
};

function duration(seconds) {
  const [days, hours, minutes] = [seconds / 86_400, (seconds / 3600) % 24, (seconds / 60) % 60].map(Math.floor);
  return days ? `${days} d ${hours} h` : hours ? `${hours} h ${minutes} min` : `${minutes} min`;
}

function show(id, value, unit = "") {
  const node = typeof id === "string" ? page(id) : id;
  node.replaceChildren(value, ...(unit ? [element("small", {}, unit)] : []));
}

// ---- charts ---------------------------------------------------------------------------------------------------------

const group = new ChartGroup({ seconds: SECONDS });
const chart = (testId, legend, options) => group.add(new Chart(byTestId(testId), { legend: page(legend), ...options }));

const cpu = chart("cpu-chart", "cpu-legend", {
  series: [{ key: "total", label: "total", color: "--accent", isFilled: true }],
  max: 100,
  format: asPercent,
});
const memory = chart("memory-chart", "memory-legend", {
  series: [{ key: "used", label: "used", color: "--wire-sse", isFilled: true }],
  max: 100,
  format: asPercent,
});
const network = chart("network-chart", "network-legend", {
  series: [
    { key: "in", label: "in", color: "--wire-stream", isFilled: true },
    { key: "out", label: "out", color: "--wire-short-poll" },
  ],
  least: 1024,
  base: 1024,
  format: asRate,
});
const server = chart("server-chart", "server-legend", { series: [], least: 4, format: asCount });

// ---- the machine ----------------------------------------------------------------------------------------------------

function drawSystem({ at, cpu: use, memory: held, network: traffic }) {
  if (cpu.series.length === 1 && use.cores.length > 1) {
    const core = (_, index) => ({ key: `core${index}`, label: `core ${index}`, color: "--accent", isFaint: true });
    cpu.setSeries([cpu.series[0], ...use.cores.map(core)]);
  }
  cpu.add(at, { total: use.total, ...Object.fromEntries(use.cores.map((value, index) => [`core${index}`, value])) });
  memory.add(at, { used: (100 * held.used) / held.total });
  network.add(at, traffic);
}

function showSystem({ cpu: use, memory: held, network: traffic, load, uptime }) {
  show("cpu-now", use.total.toFixed(0), "%");
  page("cpu-note").textContent = `${use.cores.length} ${use.cores.length === 1 ? "core" : "cores"}, max ${Math.max(...use.cores).toFixed(0)} %`;
  show("memory-now", ...bytes(held.used));
  const swap = held.swap_used > 2 ** 20 ? `, swap ${asBytes(held.swap_used)}` : "";
  page("memory-note").textContent = `of ${asBytes(held.total)}${swap}`;
  const [amount, unit] = bytes(traffic.in);
  show("in-now", amount, `${unit}/s`);
  page("out-now").textContent = `out ${asRate(traffic.out)}`;
  show("load-now", load[0].toFixed(2), `${load[1].toFixed(2)}  ${load[2].toFixed(2)}`);
  page("load-now").title = "load average over 1, 5 and 15 minutes";
  page("uptime-now").textContent = `up ${duration(uptime)}`;
  showCores(use.cores);
}

const heat = (share) => (share > 0.9 ? "var(--bad)" : share > 0.7 ? "var(--warn)" : "var(--accent)");

function showCores(cores) {
  const host = page("cores");
  if (host.children.length !== cores.length) {
    const meter = (_, index) => element("div", { className: "core" }, element("div", {}, element("span", {}, `core ${index}`), element("span")), element("span", { className: "track" }, element("i")));
    host.replaceChildren(...cores.map(meter));
  }
  cores.forEach((value, index) => {
    const [words, track] = host.children[index].children;
    words.lastElementChild.textContent = `${value.toFixed(0)} %`;
    track.firstElementChild.style.setProperty("--share", value / 100);
    track.firstElementChild.style.setProperty("--fill", heat(value / 100));
  });
}

/** A fixed number of rows whose text changes: the page does not jump. */
function fillTable(body, rows, makeRow) {
  while (body.children.length < rows.length) body.append(makeRow());
  while (body.children.length > rows.length) body.lastElementChild.remove();
  return [...body.children];
}

function showProcesses(processes) {
  const makeRow = () =>
    element("tr", {}, element("td", { className: "name" }), element("td", { className: "quiet" }),
      element("td", {}, element("span", { className: "track" }, element("i")), element("span")), element("td"));
  const rows = processes.slice(0, ROWS);
  fillTable(page("process-rows"), rows, makeRow).forEach((row, index) => {
    const { name, pid, cpu: share, memory: size } = rows[index];
    const [nameCell, pidCell, cpuCell, memoryCell] = row.children;
    nameCell.textContent = nameCell.title = name;
    pidCell.textContent = pid;
    cpuCell.lastElementChild.textContent = `${share.toFixed(1)} %`;
    cpuCell.querySelector("i").style.setProperty("--share", Math.min(1, share / 100));
    memoryCell.textContent = asBytes(size);
  });
}

// ---- the server -----------------------------------------------------------------------------------------------------

const wireColor = (wire) => `--wire-${wire in WIRE_LABELS || wire === "stream" ? wire : "http"}`;

function drawServer({ at, wires }) {
  const known = new Set(server.series.map((one) => one.key));
  const added = Object.keys(wires).filter((wire) => !known.has(wire));
  if (added.length) {
    const order = [...known, ...added].sort((a, b) => rank(a) - rank(b));
    server.setSeries(order.map((wire) => ({ key: wire, label: LABELS[wire] ?? wire, color: wireColor(wire), missing: 0 })));
  }
  server.add(at, Object.fromEntries(Object.entries(wires).map(([wire, figures]) => [wire, figures.out])));
}

const ORDER = Object.keys(LABELS);
const rank = (wire) => (ORDER.includes(wire) ? ORDER.indexOf(wire) : ORDER.length);

function showServer({ connections, wires, publications, drops, drop_rate: dropRate }) {
  const names = Object.keys(wires).sort((a, b) => rank(a) - rank(b));
  const sum = (field) => names.reduce((total, wire) => total + wires[wire][field], 0);
  const used = names.filter((wire) => wires[wire].connections > 0).length;
  show(byTestId("server-connections"), String(connections));
  page("wires-used").textContent = `on ${used} ${used === 1 ? "wire" : "wires"}`;
  show("sent-now", asCount(sum("out")), "/s");
  page("received-now").textContent = `in ${asCount(sum("in"))} /s`;
  show("publications-now", asCount(publications), "/s");
  show("drops-now", String(drops));
  page("drops-note").textContent = dropRate > 0 ? `${asCount(dropRate)} /s` : "none now";

  const makeRow = () => element("tr", {}, element("td", { className: "dot" }), element("td"), element("td"), element("td"));
  fillTable(page("wire-rows"), names, makeRow).forEach((row, index) => {
    const figures = wires[names[index]];
    const [name, ...cells] = row.children;
    name.textContent = LABELS[names[index]] ?? names[index];
    name.style.setProperty("--wire", `var(${wireColor(names[index])})`);
    cells.forEach((cell, column) => {
      cell.textContent = column ? asCount(column === 1 ? figures.in : figures.out) : figures.connections;
      cell.classList.toggle("quiet", !figures.connections);
    });
  });
}

// ---- channels -------------------------------------------------------------------------------------------------------

let lastArrival = Date.now();

function showNotice(text) {
  page("notice").textContent = text;
  page("notice").hidden = !text;
}

function system(data, { isNewest }) {
  if (!data || data.error) return data?.error && isNewest && showNotice(data.error);
  drawSystem(data);
  if (data.processes) showProcesses(data.processes);
  if (isNewest) showSystem(data);
}

function figures(data, { isNewest }) {
  if (!data?.wires) return;
  drawServer(data);
  if (isNewest) showServer(data);
}

/** Live from the subscription on; what was before it comes from the history, behind what is already drawn. */
function follow(name, take) {
  let newest = 0;
  const channel = client.channel(name);
  bar.watch(channel);
  channel.on("subscribed", async ({ recovered }) => {
    if (recovered) return;
    try {
      const { publications = [] } = await channel.history({ limit: SECONDS + 10, reverse: true });
      for (const { data } of publications.reverse()) take(data, { isNewest: data?.error !== undefined || data?.at > newest });
    } catch (error) {
      console.warn(`history of ${name}:`, error.message); // the charts begin empty, then
    }
  });
  channel.on("publication", ({ data }) => {
    lastArrival = Date.now();
    if (data?.at) {
      newest = data.at;
      group.arrived(data.at);
      showNotice("");
    }
    take(data, { isNewest: true });
  });
  channel.on("unsubscribed", ({ reason }) => showNotice(`${name}: ${reason}`));
}

follow("monitor:system", system);
follow("monitor:server", figures);

setInterval(() => {
  const silence = Date.now() - lastArrival;
  const isStale = silence > STALE_AFTER;
  page("stale").hidden = !isStale;
  page("stale").textContent = `stale · ${Math.floor(silence / 1000)} s without data`;
  page("monitor").classList.toggle("is-stale", isStale);
}, 500);
