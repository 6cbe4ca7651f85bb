// What every demo offers beside its subject: a crowd of bots, the page a second time, and its own code to read.
//
//     mountDemoTools(host, { demo: "market", client: () => client, bots: "traders" });
//
// `client` gives the client that asks the server; without `bots` (a word for what they are) there is no slider.

import { element, mountPanel, setText } from "./ui.js";

const LOOK_AGAIN = 400; // milliseconds, while bots come or go

export function mountDemoTools(host, { demo, client, bots }) {
  const isSplit = window !== window.parent; // one of two beside each other
  const again = element("a", { className: "button tool", href: location.href, target: "_blank", rel: "noopener", dataset: { testid: "second-window" } }, "Second window");
  const beside = element("a", { className: "button tool", href: besides(), dataset: { testid: "split-view" } }, "Split view");
  again.addEventListener("pointerdown", () => (again.href = location.href)); // the address may name a room by now
  beside.addEventListener("pointerdown", () => (beside.href = besides()));
  host.classList.add("demo-tools");
  host.replaceChildren(...(bots ? [slider(demo, client, bots)] : []), element("span", { className: "grow" }), ...(isSplit ? [] : [again, beside]), ...code(demo, client));
}

/** The page that shows this one twice. */
function besides() {
  const root = new URL(".", import.meta.url);
  const address = new URL("split/", root);
  address.searchParams.set("page", location.href.slice(root.href.length));
  return address.href;
}

function slider(demo, client, word) {
  const range = element("input", { type: "range", min: 0, max: 500, value: 0, step: 1, id: "bots", dataset: { testid: "bots" } });
  const said = element("output", { htmlFor: "bots", dataset: { testid: "bots-count" } }, "0");
  let timer;
  const show = ({ count, wanted, most }) => {
    range.max = most;
    setText(said, count === wanted ? String(count) : `${count} → ${wanted}`);
    clearTimeout(timer);
    if (count !== wanted) timer = setTimeout(ask, LOOK_AGAIN);
    return wanted;
  };
  const ask = async (count) => {
    try {
      const wanted = show(await client().rpc("demo.bots", count === undefined ? { demo } : { demo, count }));
      if (document.activeElement !== range) range.value = wanted;
    } catch (error) {
      setText(said, error.message);
    }
  };
  let wanted;
  range.addEventListener("input", () => {
    setText(said, range.value);
    clearTimeout(wanted);
    wanted = setTimeout(() => ask(Number(range.value)), 150);
  });
  ask();
  return element("label", { className: "bots" }, element("span", {}, word), range, said);
}

function code(demo, client) {
  const button = element("button", { type: "button", className: "button tool", dataset: { testid: "code" } }, "Code");
  const tabs = element("div", { className: "code-tabs", role: "tablist", ariaLabel: "Files" });
  const text = element("code");
  const shown = element("pre", { tabIndex: 0, role: "tabpanel", dataset: { testid: "code-text" } }, text);
  const panel = element("div", { className: "panel-over code-panel", role: "dialog", ariaLabel: "The code of this demo" }, tabs, shown);
  mountPanel(button, panel);
  const open = (file, tab) => {
    for (const other of tabs.children) other.ariaSelected = String(other === tab);
    text.textContent = file.text;
    shown.scrollTop = 0;
  };
  panel.addEventListener("toggle", async ({ newState }) => {
    if (newState !== "open" || tabs.children.length) return;
    text.textContent = "…";
    try {
      const files = await client().rpc("demo.code", { demo });
      for (const file of files) {
        const tab = element("button", { type: "button", role: "tab", className: "code-tab" }, file.name.split("/").at(-1));
        tab.addEventListener("click", () => open(file, tab));
        tabs.append(tab);
      }
      open(files[0], tabs.firstChild);
    } catch (error) {
      text.textContent = error.message;
    }
  });
  return [button, panel];
}
