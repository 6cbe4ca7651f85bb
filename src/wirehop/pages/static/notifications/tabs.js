// What the tabs of one browser tell each other beside the connection: one of them has that, so what is broken, and the
// wire that was chosen, is for all of them; and what one does to the inbox the others show at once.

import { Breaks } from "../breaks.js";
import { byTestId } from "../ui.js";

/** The other tabs of this person; `hear` gets what they tell. The returned function tells them. */
export function otherTabs(name, hear) {
  if (!globalThis.BroadcastChannel) return () => {};
  const tabs = new BroadcastChannel(`wirehop.notices.${name}`);
  tabs.addEventListener("message", ({ data }) => hear(data));
  return (message) => tabs.postMessage(message);
}

export class TabBreaks extends Breaks {
  #say;

  constructor(name) {
    super();
    this.#say = otherTabs(`${name}.breaks`, (message) => this.#heard(message));
  }

  cut() {
    super.cut();
    this.#say({ order: "cut" });
  }

  tunnel() {
    super.tunnel();
    this.#say({ order: "tunnel" });
  }

  slow(isSlow) {
    super.slow(isSlow);
    this.#say({ order: "slow", is: isSlow });
  }

  blockWebSocket(blocks) {
    super.blockWebSocket(blocks);
    this.#say({ order: "websocket", is: blocks });
  }

  /** The bar shows what any tab has chosen. The page's own choice is for all. */
  share(bar) {
    this.bar = bar;
    bar.host.addEventListener("change", ({ target }) => target.name === "wire" && this.#say({ order: "wire", wire: target.value }));
    this.#say({ order: "hello" });
  }

  #heard({ order, is, wire }) {
    if (order === "cut") super.cut();
    if (order === "tunnel") super.tunnel();
    if (order === "slow") super.slow(is);
    if (order === "websocket") super.blockWebSocket(is);
    if (order === "wire" && this.bar) this.#chosen(wire);
    if (order === "hello" && this.bar?.client.role === "leader") {
      this.#say({ order: "wire", wire: this.bar.choice });
      if (this.isSlow) this.#say({ order: "slow", is: true });
      if (this.blocksWebSocket) this.#say({ order: "websocket", is: true });
    }
    for (const [id, isOn] of [["break-slow", this.isSlow], ["break-websocket", this.blocksWebSocket]]) {
      const box = byTestId(id);
      if (box) box.checked = isOn;
    }
  }

  #chosen(wire) {
    this.bar.choice = wire;
    const radio = this.bar.host.querySelector(`input[name=wire][value="${CSS.escape(wire)}"]`);
    if (radio) radio.checked = true;
  }
}
