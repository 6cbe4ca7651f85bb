// The comparison tables: features, scenarios, claims, advantages. What a cell rests on is said beside it, on hover or focus.
// Everything comes from the server (rpc `lab.tables`) but two lines that this browser and this network answer themselves.

import { SERVER, element, memory } from "../ui.js";
import { CellNotes } from "./cell-notes.js";
import { browserEntries, probeCalls, probeNetwork } from "./own-probes.js";

const FORMATS = [["markdown", "Markdown"], ["csv", "CSV"], ["json", "JSON"], ["html", "HTML"], ["svg", "SVG"]];
const PROBES = { "your-network": () => probeNetwork(SERVER), "your-udp": (client) => probeCalls(client) };
const BROWSER_AFTER = "present";
const KINDS = { M: "measured", P: "proved by a test", B: "probed in a browser", D: "from your network", C: "cited" };

/** Show the tables in `host`. The promise is kept when they are there; the returned function takes them away. */
export async function mountTables(host, client) {
  addStyle();
  host.replaceChildren(element("p", { className: "note", role: "status" }, "loading the tables…"));
  let tables;
  try {
    tables = await client.rpc("lab.tables", {});
  } catch (error) {
    host.replaceChildren(element("p", { className: "notice", role: "alert" }, `the tables did not come: ${error.message}`));
    return () => host.replaceChildren();
  }
  const view = new TablesView(host, client, tables);
  return () => view.end();
}

function addStyle() {
  const href = new URL("tables.css", import.meta.url).href;
  if (document.querySelector(`link[href="${href}"]`)) return;
  document.head.append(element("link", { rel: "stylesheet", href }));
}

class TablesView {
  constructor(host, client, tables) {
    this.host = host;
    this.client = client;
    this.tables = tables;
    this.shown = new Set(this.chosen());
    this.probed = {}; // by line: what was found from here
    this.notes = new CellNotes(host, (number) => tables.notes[number - 1], KINDS);
    this.technical = element("div", { dataset: { testid: "technical" } });
    host.replaceChildren(
      this.toolbar(),
      section("Technical features", legend(), this.technical),
      section("Scenarios", this.scenarios()),
      section("Commonly said, measured here", this.claims()),
      section("Advantages and disadvantages", this.arguments()),
      this.footnotes(),
      this.notes.panel,
    );
    this.drawTechnical();
    host.addEventListener("click", this.followed);
  }

  end() {
    this.host.removeEventListener("click", this.followed);
    this.notes.end();
    this.host.replaceChildren();
  }

  /** The techniques that somebody chose the last time, as far as there are such; else all. */
  chosen() {
    const all = Object.keys(this.tables.techniques);
    const kept = memory.read("lab-techniques", all);
    const known = Array.isArray(kept) ? all.filter((name) => kept.includes(name)) : [];
    return known.length ? known : all;
  }

  // ---- toolbar ------------------------------------------------------------------------------------------------------

  toolbar() {
    const names = Object.entries(this.tables.techniques);
    this.chips = names.map(([name, title]) => {
      const chip = element("button", { type: "button", className: "chip", dataset: { technique: name } }, title);
      chip.addEventListener("click", () => this.toggle(name));
      return chip;
    });
    const all = element("button", { type: "button", className: "button", dataset: { testid: "all-techniques" } }, "All");
    all.addEventListener("click", () => this.choose(names.map(([name]) => name)));
    const chips = element("div", { className: "chips", role: "group", ariaLabel: "Techniques" }, ...this.chips, all);
    const downloads = FORMATS.map(([format, label]) => {
      const button = element("button", { type: "button", className: "button", dataset: { format } }, label);
      button.addEventListener("click", () => this.download(format, button));
      return button;
    });
    this.message = element("span", { className: "note", role: "status", dataset: { testid: "download-message" } });
    const export_ = element("div", { className: "downloads", role: "group", ariaLabel: "Download" }, element("span", { className: "eyebrow" }, "Download"), ...downloads, this.message);
    this.markChips();
    return element("div", { className: "tables-toolbar" }, chips, export_);
  }

  markChips() {
    for (const chip of this.chips) chip.setAttribute("aria-pressed", String(this.shown.has(chip.dataset.technique)));
  }

  toggle(name) {
    const all = this.shown.size === Object.keys(this.tables.techniques).length;
    const next = all ? new Set([name]) : new Set(this.shown); // the first click says which one is of interest
    if (!all && !next.delete(name)) next.add(name);
    this.choose(next.size ? [...next] : Object.keys(this.tables.techniques));
  }

  choose(names) {
    this.shown = new Set(names);
    memory.write("lab-techniques", names);
    this.markChips();
    this.drawTechnical();
    for (const part of this.host.querySelectorAll("[data-argued]")) part.hidden = !this.shown.has(part.dataset.argued);
  }

  async download(format, button) {
    button.disabled = true;
    this.message.textContent = "";
    try {
      const { name, type, text } = await this.client.rpc("lab.tables", { format });
      const url = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
      element("a", { href: url, download: name }).click();
      setTimeout(() => URL.revokeObjectURL(url), 10_000);
      this.message.textContent = `${name} was made`;
    } catch (error) {
      this.message.textContent = `no ${format}: ${error.message}`;
    } finally {
      button.disabled = false;
    }
  }

  // ---- the technical table ------------------------------------------------------------------------------------------

  drawTechnical() {
    const names = Object.keys(this.tables.techniques).filter((name) => this.shown.has(name));
    const head = names.map((name) => element("th", { scope: "col" }, this.tables.techniques[name]));
    const bodies = [];
    let number = 0;
    for (const row of this.rows()) {
      if (row.row !== number) {
        number = row.row;
        const title = element("th", { scope: "rowgroup", colSpan: names.length + 1 }, element("span", {}, `${number}. ${row.heading}`));
        bodies.push(element("tbody", {}, element("tr", { className: "part" }, title)));
      }
      bodies.at(-1).append(this.drawRow(row, names));
    }
    const table = element("table", { role: "grid", ariaLabel: "Technical features" }, element("thead", {}, element("tr", {}, element("td"), ...head)), ...bodies);
    this.technical.replaceChildren(scrolling("Technical features", table));
    this.notes.follow(table);
  }

  rows() {
    const rows = [...this.tables.technical];
    const own = { id: "this-browser", row: 23, heading: "Browser support", title: "In this browser", cells: browserEntries() };
    rows.splice(rows.findIndex((row) => row.id === BROWSER_AFTER) + 1, 0, own);
    return rows.map((row) => (this.probed[row.id] ? { ...row, cells: this.probed[row.id] } : row));
  }

  drawRow(row, names) {
    const title = element("th", { scope: "row" }, row.title);
    if (row.id in PROBES) title.append(this.probeButton(row.id));
    return element("tr", { dataset: { line: row.id } }, title, ...names.map((name) => drawCell(row, name)));
  }

  probeButton(line) {
    const label = line in this.probed ? "Again" : "Try from here";
    const button = element("button", { type: "button", className: "button small", dataset: { testid: `probe-${line}` } }, label);
    button.addEventListener("click", async () => {
      button.disabled = true;
      button.textContent = "trying…";
      this.probed[line] = await PROBES[line](this.client).catch(() => ({})); // then it stays unknown
      this.drawTechnical();
      this.technical.querySelector(`[data-testid=probe-${line}]`).focus({ preventScroll: true });
    });
    return button;
  }

  // ---- the others ---------------------------------------------------------------------------------------------------

  scenarios() {
    const rows = this.tables.scenarios.map((each) => {
      const demo = each.demo ? element("a", { href: new URL(each.demo, SERVER).href }, "open") : element("span", { className: "unknown" }, "no demo yet");
      const traits = [each.direction, each.rate, each.loss, each.fanout].map((text) => element("li", {}, text));
      return element("tr", { id: `scenario-${each.id}` },
        element("th", { scope: "row" }, each.title),
        element("td", {}, element("ul", {}, ...traits)),
        element("td", { className: "first" }, each.first),
        element("td", {}, each.fallbacks.join(", then ") || "none"),
        element("td", {}, each.side || "nothing"),
        element("td", {}, each.why.join(", ")),
        figure(each.p99, each.kind), figure(each.bytes_per_minute, each.kind),
        element("td", {}, demo));
    });
    return scrolling("Scenarios", plainTable(["Scenario", "Traits", "First choice", "Fallbacks", "Beside it", "Why", "p99", "Bytes a minute", "Run it"], rows));
  }

  claims() {
    const rows = this.tables.claims.map((each) => {
      const source = each.url ? element("a", { href: each.url, rel: "noreferrer" }, each.source) : each.source;
      const found = each.found.map(({ label, where, entry }) => element("li", {}, `${label}: `, element("a", { href: `#${where}` }, entry.text), mark(entry)));
      const here = found.length ? element("td", {}, element("ul", {}, ...found)) : unknownCell();
      return element("tr", { dataset: { claim: each.id } }, element("th", { scope: "row" }, each.about), element("td", {}, each.said), element("td", {}, source, `, ${each.date}`), here);
    });
    return scrolling("Claims", plainTable(["About", "Commonly said", "Where", "Here"], rows));
  }

  arguments() {
    const parts = Object.entries(this.tables.techniques).map(([name, title]) => {
      const lines = this.tables.arguments.filter((each) => each.technique === name).map((each) =>
        element("li", { className: each.side }, each.text, ": ", element("a", { href: `#${each.where}` }, each.says)));
      const body = lines.length ? element("ul", {}, ...lines) : element("p", { className: "unknown" }, "nothing is known");
      return element("div", { className: "argued", dataset: { argued: name }, hidden: !this.shown.has(name) }, element("h3", {}, title), body);
    });
    return element("div", { className: "arguments", dataset: { testid: "arguments" } }, ...parts);
  }

  footnotes() {
    const items = this.tables.notes.map((note, index) => {
      const text = note.url ? element("a", { href: note.url, rel: "noreferrer" }, note.text) : note.text;
      return element("li", { id: `note-${index + 1}` }, element("b", {}, KINDS[note.kind]), " ", text);
    });
    return element("details", { className: "footnotes", dataset: { testid: "footnotes" } }, element("summary", {}, `Footnotes (${items.length})`), element("ol", {}, ...items));
  }

  /** A link to a cell shows its technique, if it is not shown, and goes there. */
  followed = (event) => {
    const link = event.target.closest('a[href^="#cell-"]');
    if (!link) return;
    event.preventDefault();
    const id = decodeURIComponent(link.hash.slice(1));
    const technique = Object.keys(this.tables.techniques).filter((name) => id.endsWith(`-${name}`)).sort((a, b) => b.length - a.length)[0];
    if (!this.shown.has(technique)) this.choose([...this.shown, technique]);
    this.notes.show(document.getElementById(id));
  };
}

// ---- parts ----------------------------------------------------------------------------------------------------------

function section(title, ...parts) {
  return element("section", { className: "tables-part" }, element("h2", {}, title), ...parts);
}

function legend() {
  const kinds = Object.entries(KINDS).map(([kind, words]) => element("li", {}, element("i", { className: "kind", dataset: { kind } }, kind), words));
  return element("ul", { className: "kinds" }, ...kinds, element("li", { className: "unknown" }, "not known: nobody has proof"));
}

function scrolling(label, table) {
  return element("div", { className: "tables-scroll", role: "region", ariaLabel: label, tabIndex: 0 }, table);
}

function plainTable(heads, rows) {
  const head = heads.map((text) => element("th", { scope: "col" }, text));
  return element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...rows));
}

const unknownCell = () => element("td", { className: "unknown" }, "not known");
const mark = ({ kind }) => element("i", { className: "kind", dataset: { kind }, title: KINDS[kind] }, kind);
const figure = (text, kind) => (text === "not known" ? unknownCell() : element("td", {}, text, " ", mark({ kind })));

function drawCell(row, name) {
  const entry = row.cells[name] ?? {};
  const cell = entry.kind ? element("td", { id: `cell-${row.id}-${name}` }, entry.text, " ", mark(entry)) : unknownCell();
  cell.setAttribute("role", "gridcell");
  cell.tabIndex = -1;
  cell.entry = entry;
  return cell;
}
