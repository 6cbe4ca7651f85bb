/** The negotiation repeats every vector exactly, as the Python one does. */

import { readFileSync, readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { Negotiation } from "../../src/rtc/negotiation.js";
import type { NegotiationOutput } from "../../src/rtc/signals.js";

const FOLDER = new URL("../../../protocol/vectors/rtc/", import.meta.url);
const NAMES = readdirSync(FOLDER).filter((name) => name.endsWith(".json"));

/* eslint-disable @typescript-eslint/no-explicit-any */
type Step = Record<string, any>;

function told(output: NegotiationOutput): object {
  const { do: what, ...rest } = output;
  if (output.do === "send") return { send: output.signal };
  if (output.do === "add_candidate") return { add_candidate: output.candidate };
  return { [what]: rest };
}

function play(negotiation: Negotiation, step: Step): void {
  const now = step.at ?? 0;
  switch (step.do) {
    case "needed":
      return negotiation.needed(now);
    case "restart":
      return negotiation.restart(now);
    case "received":
      return negotiation.received(step.signal, now);
    case "described":
      return negotiation.described(step.number, step.sdp, now);
    case "applied":
      return negotiation.applied(step.number, now);
    case "failed":
      return negotiation.failed(step.number, now);
    case "candidate":
      return negotiation.candidate(step.candidate);
    case "tick":
      return negotiation.tick(now);
    case "close":
      return negotiation.close();
    default:
      throw new Error(`no such input: ${step.do}`);
  }
}

describe("vectors of a negotiation", () => {
  it("are there", () => expect(NAMES.length).toBeGreaterThanOrEqual(25));

  it.each(NAMES)("%s", (name) => {
    const vector = JSON.parse(readFileSync(new URL(name, FOLDER), "utf8"));
    const instances: string[] = [...vector.instances];
    const negotiation = new Negotiation(vector.me, vector.peer, () => instances.shift()!, vector.fixed);
    vector.steps.forEach((step: Step, index: number) => {
      play(negotiation, step);
      const seen = {
        outputs: negotiation.take().map(told),
        deadline: negotiation.deadline() ?? null,
        state: negotiation.state,
        dropped: negotiation.dropped,
      };
      const { outputs, deadline, state, dropped } = step;
      expect(seen, `step ${index}: ${step.do}`).toEqual({ outputs, deadline, state, dropped });
    });
  });
});
