// The form of a link: a preset, sliders, a bad proxy, and what can happen to it once.

import { element, setText } from "../ui.js";

const STEPS = [0, 8, 16, 32, 64, 125, 250, 500, 1250, 2500, 12_500].map((kilobytes) => kilobytes * 1000); // bytes a second
const PROXIES = {
  "": "none",
  "buffering": "buffers streams: 32 KiB or 5 s",
  "idle-cut": "cuts what idles for 60 s",
  "strip-upgrade": "strips Upgrade",
  "gzip": "compresses event streams",
  "block-udp": "blocks UDP",
  "inspecting": "inspects: no WebSocket, no TLS of others",
};
const bandwidth = (bytes) => (bytes === 0 ? "no limit" : bytes >= 125_000 ? `${bytes / 125_000} Mbit/s` : `${bytes / 125} kbit/s`);
const SLIDERS = [
  { key: "delay", title: "Delay, one way", max: 500, step: 5, show: (value) => `${value} ms` },
  { key: "jitter", title: "Jitter", max: 200, step: 1, show: (value) => `± ${value} ms` },
  { key: "loss", title: "Loss", max: 20, step: 0.5, show: (value) => `${value} %`, read: (value) => value / 100, write: (value) => value * 100 },
  { key: "down", title: "Bandwidth down", max: STEPS.length - 1, step: 1, show: (value) => bandwidth(STEPS[value]), read: (value) => STEPS[value], write: nearest },
  { key: "up", title: "Bandwidth up", max: STEPS.length - 1, step: 1, show: (value) => bandwidth(STEPS[value]), read: (value) => STEPS[value], write: nearest },
];

function nearest(bytes) {
  const above = STEPS.findIndex((step) => step >= bytes);
  return bytes === 0 ? 0 : above < 0 ? 0 : above;
}

export function mountLinkPanel(host, links) {
  const presets = element("select", { className: "field", id: "preset", dataset: { testid: "preset" } });
  const proxies = element("select", { className: "field", id: "proxy", dataset: { testid: "proxy" } },
    ...Object.entries(PROXIES).map(([value, text]) => element("option", { value }, text)));
  const what = element("p", { className: "note" });
  const problem = element("p", { className: "notice", hidden: true });
  const sliders = SLIDERS.map((slider) => {
    const input = element("input", { type: "range", min: 0, max: slider.max, step: slider.step, value: 0, id: `link-${slider.key}`, dataset: { testid: `link-${slider.key}` } });
    const said = element("output", { htmlFor: input.id });
    const show = () => setText(said, slider.show(Number(input.value)));
    input.addEventListener("input", show);
    input.addEventListener("change", () => change({ [slider.key]: slider.read ? slider.read(Number(input.value)) : Number(input.value) }));
    show();
    return { slider, input, show, row: element("div", { className: "slider" }, element("label", { htmlFor: input.id }, slider.title), said, input) };
  });
  const order = (title, testid, run) => {
    const button = element("button", { type: "button", className: "button", dataset: { testid } }, title);
    button.addEventListener("click", () => tried(run()));
    return button;
  };
  const tried = async (work) => {
    try {
      await work;
      problem.hidden = true;
    } catch (error) {
      problem.textContent = error.message;
      problem.hidden = false;
    }
  };
  const change = async (conditions) => {
    host.dataset.applied = "no";
    await tried(links.set(conditions));
    host.dataset.applied = "yes";
    show();
  };
  const show = () => {
    for (const { slider, input, show: said } of sliders) {
      const value = links.conditions[slider.key];
      input.value = slider.write ? slider.write(value) : value;
      said();
    }
    proxies.value = links.conditions.proxy;
    const same = Object.entries(links.presets).find(([, { link }]) => Object.entries(link).every(([key, value]) => links.conditions[key] === value));
    presets.value = same?.[0] ?? "";
    setText(what, same ? same[1].what : "a link of your own");
  };
  presets.addEventListener("change", () => links.presets[presets.value] && change(links.presets[presets.value].link));
  proxies.addEventListener("change", () => change({ proxy: proxies.value }));
  const open = () => {
    if (presets.options.length < 2) {
      presets.replaceChildren(element("option", { value: "", disabled: true }, "your own"),
        ...Object.entries(links.presets).map(([value, { title }]) => element("option", { value }, title)));
    }
    show();
  };
  links.addEventListener("open", open);
  links.addEventListener("change", show);
  const isWide = matchMedia("(min-width: 900px)").matches;
  const details = element("details", { open: isWide }, element("summary", {}, "The link"),
    element("div", { className: "link-form" },
      element("label", { htmlFor: "preset" }, "Preset"), presets, what,
      ...sliders.map(({ row }) => row),
      element("label", { htmlFor: "proxy" }, "A proxy that"), proxies,
      element("div", { className: "link-orders" },
        order("Black hole, 5 s", "link-hole", () => links.break("hole")),
        order("Tunnel, 10 s", "link-tunnel", () => links.break("tunnel"))),
      problem));
  host.classList.add("card", "link-panel");
  host.append(details);
  links.open().then(open, () => {});
}
