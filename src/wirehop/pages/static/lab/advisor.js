// The advisor: the questions as a form, and beside it what the server answers (rpc `lab.scenarios`, `lab.advise`), anew
// with every change. The cost calculator lies in cost.js.

import { element, memory } from "../ui.js";
import { AdvisorForm } from "./advisor-form.js";
import { answerParts } from "./advisor-answer.js";
import { addStyle } from "./cost.js";

export { mountCost } from "./cost.js";

const PAUSE = 250; // ms without a change before the server is asked

/** Show the advisor in `host`. The promise is kept when the form is there; the returned function takes it away. */
export async function mountAdvisor(host, client) {
  addStyle();
  host.replaceChildren(element("p", { className: "note", role: "status" }, "loading the questions…"));
  let catalogue;
  try {
    catalogue = await client.rpc("lab.scenarios", {});
  } catch (error) {
    host.replaceChildren(element("p", { className: "notice", role: "alert" }, `the questions did not come: ${error.message}`));
    return () => host.replaceChildren();
  }
  const view = new AdvisorView(host, client, catalogue);
  return () => view.end();
}

class AdvisorView {
  constructor(host, client, catalogue) {
    this.host = host;
    this.client = client;
    this.catalogue = catalogue;
    this.asked = 0;
    this.form = new AdvisorForm(catalogue, () => this.changed());
    this.answer = element("div", { className: "advice", ariaLive: "polite", dataset: { testid: "advice" } });
    host.replaceChildren(element("div", { className: "advisor" }, this.form.node, this.answer));
    this.form.fill(memory.read("advisor", {}));
    this.ask();
  }

  end() {
    clearTimeout(this.timer);
    this.asked = -1;
    this.host.replaceChildren();
  }

  changed() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), PAUSE);
  }

  /** Ask the server; an answer that another question has overtaken is not shown. */
  async ask() {
    const number = ++this.asked;
    const inputs = this.form.inputs();
    memory.write("advisor", inputs);
    let advice;
    try {
      advice = await this.client.rpc("lab.advise", { inputs });
    } catch (error) {
      if (number === this.asked) this.answer.replaceChildren(element("p", { className: "notice", role: "alert" }, error.message));
      return;
    }
    if (number !== this.asked) return;
    this.form.showAssumed(advice);
    const demo = this.catalogue.scenarios.find((each) => each.id === this.form.scenario)?.demo ?? "";
    this.answer.replaceChildren(...answerParts(advice, { demo, apply: (flip) => this.apply(flip) }));
    this.answer.dataset.main = advice.main;
    this.answer.dataset.asked = String(number);
  }

  /** Change the one answer that a flip is about. */
  apply(flip) {
    this.form.set(flip.input, flip.value);
    clearTimeout(this.timer);
    this.ask();
  }
}
