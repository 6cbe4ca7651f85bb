// The lab: a tab for each part. A part's module is loaded when its tab is opened for the first time.

import { connect } from "../sdk/wirehop.js";
import { SERVER, byTestId, element, mountState } from "../ui.js";
import { Links } from "./links.js";

const PARTS = [
  { id: "race", title: "Race", load: async (host) => (await import("./race.js")).mountRace(host, links) },
  { id: "cut", title: "Cut it", load: async (host) => (await import("./cut.js")).mountCut(host, links) },
  { id: "limits", title: "Limits", load: async (host) => (await import("./limits.js")).mountLimits(host, links) },
  { id: "network", title: "My network", load: async (host) => (await import("./network.js")).mountNetwork(host, client) },
  { id: "cost", title: "Cost", load: async (host) => (await import("./advisor.js")).mountCost(host, client) },
  { id: "advisor", title: "Advisor", load: async (host) => (await import("./advisor.js")).mountAdvisor(host, client) },
  { id: "tables", title: "Tables", load: async (host) => (await import("./tables.js")).mountTables(host, client) },
];

const client = connect(SERVER, { data: { name: "lab" } });
const notice = document.getElementById("notice");
const links = new Links(client, (problem) => {
  notice.textContent = problem;
  notice.hidden = !problem;
});
mountState(byTestId("state"), client);

const tabs = document.getElementById("tabs");
const panels = document.getElementById("panels");
const loaded = new Set();

async function open(part, { focus = false } = {}) {
  for (const { id } of PARTS) {
    const isOpen = id === part.id;
    const tab = document.getElementById(`tab-${id}`);
    tab.ariaSelected = String(isOpen);
    tab.tabIndex = isOpen ? 0 : -1;
    if (isOpen && focus) tab.focus();
    if (isOpen) tabs.scrollLeft = tab.offsetLeft - (tabs.clientWidth - tab.offsetWidth) / 2; // where all do not fit
    document.getElementById(`panel-${id}`).hidden = !isOpen;
  }
  history.replaceState(null, "", `#${part.id}`);
  if (loaded.has(part.id)) return;
  loaded.add(part.id);
  const host = document.getElementById(`panel-${part.id}`);
  try {
    await part.load(host);
  } catch (error) {
    loaded.delete(part.id);
    host.replaceChildren(element("p", { className: "notice" }, `This part of the lab cannot be loaded: ${error.message}`));
  }
}

for (const part of PARTS) {
  const tab = element("button", { type: "button", role: "tab", className: "lab-tab", id: `tab-${part.id}`, dataset: { testid: `tab-${part.id}` } }, part.title);
  tab.setAttribute("aria-controls", `panel-${part.id}`);
  tab.addEventListener("click", () => open(part));
  tabs.append(tab);
  const panel = element("div", { role: "tabpanel", id: `panel-${part.id}`, hidden: true, dataset: { testid: `panel-${part.id}` } });
  panel.setAttribute("aria-labelledby", tab.id);
  panels.append(panel);
}
tabs.addEventListener("keydown", ({ key }) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[key];
  if (!step) return;
  const now = PARTS.findIndex(({ id }) => document.getElementById(`tab-${id}`).ariaSelected === "true");
  open(PARTS[(now + step + PARTS.length) % PARTS.length], { focus: true });
});
const wanted = () => PARTS.find(({ id }) => `#${id}` === location.hash) ?? PARTS[0];
addEventListener("hashchange", () => open(wanted()));
open(wanted());
