/** Tabs that share a connection: whatever comes late, and whoever is gone, each sees everything once and in order. */

import { describe, expect, it } from "vitest";
import { Browser, chance, type Page } from "./tabs/browser.js";
import { Server } from "./tabs/server.js";

const CHANNELS = ["a", "b"];

/** Nothing twice, nothing out of order, and nothing missing but where it was said. */
function check(server: Server, page: Page): void {
  for (const [channel, { from, offsets, gaps, isLive }] of page.seen) {
    expect(isLive, `${page.name} has ${channel}`).toBe(true);
    let last = from!.offset;
    for (const offset of [...offsets, (server.tops.get(channel) ?? 0) + 1]) {
      const isMissing = offset !== last + 1;
      if (isMissing && !(offset > last && gaps.some((gap) => gap >= last && gap < offset))) {
        expect.fail(`${page.name} in ${channel}: after ${last} came ${offset}; said: ${gaps}; all: ${offsets}`);
      }
      last = offset;
    }
  }
}

function checkRequests(server: Server, page: Page, published: Set<unknown>): void {
  for (const { kind, data, reply, settled } of page.requests) {
    expect(settled, `${kind} ${data}`).toBe(1);
    const times = server.ran.filter((each) => each === data).length;
    if (kind === "rpc") expect(times).toBeLessThanOrEqual(1);
    if (kind === "publish") expect([reply!.error, published.has(data)]).toEqual([undefined, true]);
    else if (!reply!.error) expect(times).toBe(1);
    else expect(reply!.error.code).toBe(120);
  }
}

interface Schedule {
  seed: number;
  kept: number;
  steps: number;
}

function play({ seed, kept, steps }: Schedule): { calls: number; ends: number; gaps: number } {
  const random = chance(seed);
  const pick = <T>(items: T[]): T => items[Math.floor(random() * items.length)]!;
  const server = new Server(kept);
  const browser = new Browser(server, random);
  const published: unknown[] = [];
  const publish = server.publish.bind(server);
  server.publish = (channel, data, key = "") => {
    if (!key || !server.keys.has(key)) published.push(data);
    return publish(channel, data, key);
  };
  let opened = 0;
  let asked = 0;
  let ends = 0;
  const all: Page[] = [];
  const open = () => all.push(browser.open(`p${++opened}`, random() < 0.7));
  open();
  for (let step = 0; step < steps; step++) {
    const dice = random();
    const page = browser.pages.length ? pick(browser.pages) : undefined;
    if (!page || (dice < 0.02 && browser.pages.length < 5)) open();
    else if (dice < 0.04) page.subscribe(pick(CHANNELS));
    else if (dice < 0.045) {
      const channel = pick(CHANNELS);
      page.subscribe(channel, { epoch: server.epoch, offset: Math.floor(random() * (1 + (server.tops.get(channel) ?? 0))) });
    } else if (dice < 0.05) page.unsubscribe(pick(CHANNELS));
    else if (dice < 0.09) page.ask("publish", pick(CHANNELS), `publish ${++asked}`);
    else if (dice < 0.11) page.ask("rpc", "", `rpc ${++asked}`);
    else if (dice < 0.19) server.publish(pick(CHANNELS), `server ${++asked}`);
    else if (dice < 0.2) server.call(`call ${++asked}`);
    else if (dice < 0.21) {
      ends++;
      browser.end(random() < 0.6 && browser.holder ? browser.holder : page);
    } else if (dice < 0.215) {
      ends++;
      browser.sleep(page);
    } else browser.step();
  }
  if (!browser.pages.length) open();
  browser.settle();
  expect(published.length, "each publish once").toBe(new Set(published).size);
  const done = new Set(published);
  for (const page of browser.pages) {
    check(server, page);
    checkRequests(server, page, done);
    expect(page.tab.standing.state).toBe("connected");
  }
  expect(browser.pages.filter((each) => each.leader).length).toBe(1);
  const began = browser.began.filter(({ page }) => !page.isGone).map(({ call }) => call);
  if (!browser.hurried) expect(began.length, `each call is run once: ${began}`).toBe(new Set(began).size);
  expect(server.calls.size, "each call is answered").toBe(0);
  const gaps = all.flatMap((each) => [...each.seen.values()]).reduce((sum, each) => sum + each.gaps.length, 0);
  return { calls: browser.hurried ? 0 : began.length, ends, gaps };
}

function played(schedule: Schedule): ReturnType<typeof play> {
  try {
    return play(schedule);
  } catch (error) {
    throw new Error(`seed ${schedule.seed}: ${error}`);
  }
}

describe("tabs that share a connection", () => {
  it("see everything once, in order, whoever is gone", () => {
    let ends = 0;
    let calls = 0;
    for (let seed = 1; seed <= 200; seed++) {
      const found = played({ seed, kept: 100_000, steps: 600 });
      ends += found.ends;
      calls += found.calls;
      expect(found.gaps, `seed ${seed}: history has everything`).toBe(0);
    }
    expect(ends).toBeGreaterThan(500);
    expect(calls).toBeGreaterThan(100);
  }, 60_000);

  it("are told where history no longer has what they missed", () => {
    let gaps = 0;
    for (let seed = 1001; seed <= 1150; seed++) gaps += played({ seed, kept: 5, steps: 600 }).gaps;
    expect(gaps).toBeGreaterThan(25);
  }, 60_000);
});
