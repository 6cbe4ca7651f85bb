// One session: who it is, what it is subscribed to, and its end.

import { ask, bytes, count, duration, showFacts, tell, wireName } from "./api.js";
import { element, setText } from "../ui.js";

const EVERY = 2_000;

export class SessionDrawer {
  #client = "";
  #timer;

  constructor(dialog, { openChannel, closed, changed }) {
    Object.assign(this, { dialog, openChannel, changed, codes: [] });
    this.part = (id) => dialog.querySelector(`#${id}`);
    dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close()); // beside the panel
    dialog.addEventListener("close", () => {
      this.#stop();
      closed();
    });
    this.part("close-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#end();
    });
  }

  show(client) {
    this.#client = client;
    this.part("session-title").textContent = client;
    this.part("session-gone").hidden = true;
    this.part("session-facts").replaceChildren();
    delete this.part("session-facts").dataset.terms;
    this.part("subscriptions").replaceChildren();
    setText(this.part("subscription-count"), "");
    this.part("close-form").hidden = false;
    const choices = this.codes.map(({ code, text }) => element("option", { value: code }, `${code} ${text}`));
    this.part("code").replaceChildren(...choices);
    if (!this.dialog.open) this.dialog.showModal();
    this.#look();
  }

  hide() {
    if (this.dialog.open) this.dialog.close();
  }

  #stop() {
    clearTimeout(this.#timer);
    this.#client = "";
  }

  async #look() {
    clearTimeout(this.#timer);
    const client = this.#client;
    if (!client) return;
    try {
      const detail = await ask("session", { client });
      if (client !== this.#client) return;
      this.#fill(detail);
    } catch (error) {
      if (client !== this.#client) return;
      if (error.status === 404) return this.#gone("This session has ended.");
      if (error.status === 401) return this.dialog.close();
    }
    this.#timer = setTimeout(() => this.#look(), EVERY);
  }

  #fill({ session, origin, user_agent: agent, subscriptions }) {
    showFacts(this.part("session-facts"), [
      ["User", session.user || (session.is_admin ? "this admin page" : "anonymous")],
      ["State", session.is_congested ? `${session.state}, its wire is full` : session.state],
      ["Wire", wireName(session.wire)],
      ["Address", session.address],
      ["Age", duration(session.age)],
      ["Waiting", bytes(session.waiting)],
      ["Drops", count(session.drops)],
      ["Origin", origin, "wide"],
      ["Program", agent, "wide"],
    ]);
    setText(this.part("subscription-count"), count(subscriptions.length));
    const wanted = JSON.stringify(subscriptions);
    const list = this.part("subscriptions");
    if (list.dataset.shown === wanted && list.children.length) return;
    list.dataset.shown = wanted;
    list.replaceChildren(
      ...(subscriptions.length ? subscriptions.map((each) => this.#subscription(each)) : [element("li", { className: "empty" }, "Subscribed to nothing.")]),
    );
  }

  #subscription({ channel, state, offset, delivery, is_by_server: isByServer }) {
    const button = element("button", { type: "button", className: "opener" }, channel);
    button.addEventListener("click", () => this.openChannel(channel));
    const words = [state, delivery === "signal" ? "no offsets" : `sent to ${count(offset)}`, ...(isByServer ? ["by the server"] : [])];
    return element("li", {}, button, element("span", { className: "note" }, words.join(" · ")));
  }

  #gone(text) {
    clearTimeout(this.#timer);
    this.part("session-gone").textContent = text;
    this.part("session-gone").hidden = false;
    this.part("close-form").hidden = true;
  }

  async #end() {
    const code = Number(this.part("code").value);
    try {
      await tell("close", { client: this.#client, code });
      this.#gone(`Closed with ${code}.`);
      this.changed();
    } catch (error) {
      if (error.status === 404) this.#gone("This session has ended by itself.");
      else {
        this.part("session-gone").textContent = error.message;
        this.part("session-gone").hidden = false;
      }
    }
  }
}
