// The menu of what can be broken on a page's network. It orders, and shows what is broken; breaks.js does it.

import { SLOW_MILLISECONDS, TUNNEL_MILLISECONDS } from "./breaks.js";
import { element, mountPanel, setText } from "./ui.js";

/** The parts to show: a button and its panel. */
export function mountBreakMenu(breaks) {
  const text = element("span", {}, "Break it");
  const button = element("button", { type: "button", className: "button break-button", dataset: { testid: "breaks" } }, element("i", { ariaHidden: "true" }), text);
  const order = (testid, title, note, run) => {
    const item = element("button", { type: "button", className: "break-item", dataset: { testid } }, element("b", {}, title), element("span", {}, note));
    item.addEventListener("click", () => {
      run();
      panel.hidePopover();
    });
    return item;
  };
  const toggle = (testid, title, note, set) => {
    const box = element("input", { type: "checkbox", role: "switch", dataset: { testid } });
    box.addEventListener("change", () => set(box.checked));
    return element("label", { className: "break-item" }, element("b", {}, title), element("span", {}, note), box);
  };
  const seconds = TUNNEL_MILLISECONDS / 1000;
  const tunnel = order("break-tunnel", `${seconds}-second tunnel`, "Nothing gets through, either way. What was open is dead afterwards.", () => breaks.tunnel());
  const panel = element("div", { className: "panel-over break-menu", role: "dialog", ariaLabel: "Break the network of this page", dataset: { testid: "break-menu" } },
    order("break-cut", "Cut the wire", "Every connection of this page ends without a word.", () => breaks.cut()),
    tunnel,
    toggle("break-slow", "Slow link", `${SLOW_MILLISECONDS} ms more, each way.`, (is) => breaks.slow(is)),
    toggle("break-websocket", "Block WebSocket", "As a firewall does: open ones break, new ones are refused.", (is) => breaks.blockWebSocket(is)),
  );
  mountPanel(button, panel);

  let countdown;
  const show = () => {
    clearInterval(countdown);
    const left = Math.ceil((breaks.tunnelEnds - performance.now()) / 1000);
    const said = [
      ...(breaks.tunnelEnds ? [`Tunnel ${Math.max(1, left)} s`] : []),
      ...(breaks.isSlow ? ["Slow"] : []),
      ...(breaks.blocksWebSocket ? ["No WebSocket"] : []),
    ];
    setText(text, said.join(" · ") || "Break it");
    button.classList.toggle("is-broken", said.length > 0);
    tunnel.disabled = breaks.tunnelEnds > 0;
    if (breaks.tunnelEnds) countdown = setInterval(show, 250);
  };
  breaks.addEventListener("change", show);
  return { parts: [button, panel] };
}
