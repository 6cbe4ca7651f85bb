/** The machine repeats every vector exactly, as the Python client's does. */

import { readFileSync, readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { Machine } from "../src/machine/machine.js";
import type { Output } from "../src/machine/outputs.js";

const FOLDER = new URL("../../protocol/vectors/", import.meta.url);
const NAMES = readdirSync(FOLDER).filter((name) => name.endsWith(".json"));

/* eslint-disable @typescript-eslint/no-explicit-any */
type Step = Record<string, any>;

function told(output: Output): object {
  switch (output.do) {
    case "open":
      return { open: { wire: output.wire, to: output.to, move: output.move } };
    case "transmit":
      return { transmit: { wire: output.wire, commands: JSON.parse(JSON.stringify(output.commands)) } };
    case "pong":
      return { pong: { wire: output.wire } };
    case "close":
      return { close: { wire: output.wire, bye: output.bye } };
    case "moved":
      return { moved: { wire: output.wire, resumed: output.resumed } };
    case "trial_failed":
      return { trial_failed: { wire: output.wire, code: output.code } };
    case "deliver":
      return {
        deliver: {
          channel: output.channel,
          offset: output.publication.offset ?? 0,
          data: output.publication.data,
        },
      };
    case "subscribed": {
      const { channel, recovered = null, position = null, byServer: by_server } = output;
      return { subscribed: { channel, recovered, position, by_server } };
    }
    case "unsubscribed":
      return { unsubscribed: { channel: output.channel, code: output.code } };
    case "presence":
      return { presence: { channel: output.channel, [output.change]: output.info.client } };
    case "answered":
      return { answered: { call: output.call, error: output.reply.error?.code ?? 0 } };
    case "message":
      return { message: { data: output.data } };
    case "call":
      return { call: { number: output.number, method: output.method, data: output.data } };
    case "refresh_wanted":
      return { refresh_wanted: {} };
    case "synced":
      return { synced: output.synced };
    case "state":
      return { state: { state: output.state, code: output.code, delay: round(output.delay) } };
  }
}

const round = (value: number) => Math.round(value * 1e6) / 1e6;

function play(machine: Machine, step: Step): void {
  const now = step.at ?? 0;
  switch (step.do) {
    case "connect":
      return machine.connect();
    case "opened":
      return machine.opened(step.wire, now);
    case "received":
      return machine.received(step.wire, step.reply, now);
    case "lost":
      return machine.lost(step.wire, step.code ?? 0, step.reason ?? "", now);
    case "tick":
      return machine.tick(now);
    case "move":
      return machine.move(step.to ?? [], now, step.reason);
    case "subscribe":
      return machine.subscribe(step.channel, step.position, step.join_leave);
    case "unsubscribe":
      return machine.unsubscribe(step.channel);
    case "request":
      return void machine.request(step.command);
    case "abandon":
      return machine.abandon(step.call);
    case "answer":
      return machine.answer(step.number, step.data, step.error);
    case "refreshed":
      return machine.refreshed(step.token);
    case "close":
      return machine.close();
    default:
      throw new Error(`no such input: ${step.do}`);
  }
}

describe("vectors", () => {
  it("are there", () => expect(NAMES.length).toBeGreaterThanOrEqual(25));

  it.each(NAMES)("%s", (name) => {
    const vector = JSON.parse(readFileSync(new URL(name, FOLDER), "utf8"));
    const jitter: number[] = [...vector.jitter];
    const machine = new Machine(vector.request, () => (jitter.length > 1 ? jitter.shift()! : jitter[0]!));
    vector.steps.forEach((step: Step, index: number) => {
      play(machine, step);
      const deadline = machine.deadline();
      const seen = {
        outputs: machine.take().map(told),
        deadline: deadline === undefined ? null : round(deadline),
      };
      expect(seen, `step ${index}: ${step.do}`).toEqual({ outputs: step.outputs, deadline: step.deadline });
    });
  });
});
