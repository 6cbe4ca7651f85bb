/** What is made of reports, levels and states of ICE: figures, words, and when to begin again. */

import { describe, expect, it } from "vitest";
import { BudgetMarks } from "../../src/rtc/budget.js";
import { Speakers } from "../../src/rtc/speaking.js";
import { pathOf, sample, type Report } from "../../src/rtc/statistics.js";
import { IceWatch } from "../../src/rtc/watch.js";

type Rows = Record<string, unknown>[];

function report(rows: Rows): Report {
  return { forEach: (each) => rows.forEach((row) => each(row as never)) };
}

/** A connection that has been going on for `seconds`, as Chromium reports it. */
function chromium(seconds: number, changes: { local?: object; remote?: object; lost?: number } = {}): Rows {
  const timestamp = 1_000_000 + seconds * 1000;
  return [
    {
      ...{ id: "T", type: "transport", timestamp, selectedCandidatePairId: "P", dtlsState: "connected" },
      ...{ srtpCipher: "AES_CM_128_HMAC_SHA1_80", bytesReceived: 10_000 * seconds, bytesSent: 5_000 * seconds },
    },
    { id: "X", type: "candidate-pair", timestamp, nominated: true, state: "succeeded", currentRoundTripTime: 9 },
    {
      ...{ id: "P", type: "candidate-pair", timestamp, localCandidateId: "L", remoteCandidateId: "R" },
      ...{ currentRoundTripTime: 0.02, state: "succeeded", nominated: true },
    },
    { id: "L", type: "local-candidate", candidateType: "host", protocol: "udp", address: "10.0.0.1", port: 5, ...changes.local },
    { id: "R", type: "remote-candidate", candidateType: "srflx", protocol: "udp", address: "10.0.0.2", port: 6, ...changes.remote },
    {
      ...{ id: "I", type: "inbound-rtp", timestamp, kind: "video", packetsReceived: 90 * seconds, jitter: 0.004 },
      ...{ packetsLost: changes.lost ?? 0, framesDecoded: 30 * seconds },
    },
    { id: "O", type: "outbound-rtp", timestamp, kind: "video", packetsSent: 50 * seconds, framesEncoded: 25 * seconds },
    { id: "E", type: "remote-inbound-rtp", timestamp, fractionLost: 0.05, roundTripTime: 0.5 },
  ];
}

describe("statistics", () => {
  it("are differences of two reports", () => {
    const first = sample(report(chromium(2)), undefined);
    expect(first.stats).toMatchObject({ bitrateIn: undefined, fpsIn: undefined, framesDecoded: 60, roundTrip: 0.02 });
    const { stats } = sample(report(chromium(4, { lost: 20 })), first);
    expect(stats).toMatchObject({ bitrateIn: 80_000, bitrateOut: 40_000, fpsIn: 30, fpsOut: 25, lossOut: 0.05 });
    expect(stats.loss).toBeCloseTo(20 / 200);
    expect(stats).toMatchObject({ jitter: 0.004, dtls: "connected", srtpCipher: "AES_CM_128_HMAC_SHA1_80" });
    expect(stats.local).toEqual({ type: "host", protocol: "udp", address: "10.0.0.1:5", relay: undefined });
  });

  it("take Firefox's pair, which is `selected`, and no rate from another one's bytes", () => {
    const rows = (seconds: number, id: string): Rows => {
      const both = { type: "candidate-pair", timestamp: seconds * 1000, bytesReceived: 1000 * seconds, bytesSent: 0 };
      return [
        { ...both, id: "A", selected: id === "A", nominated: true, state: "succeeded" },
        { ...both, id: "B", selected: id === "B", nominated: true, state: "succeeded" },
      ];
    };
    const first = sample(report(rows(2, "B")), undefined);
    expect(sample(report(rows(4, "B")), first).stats.bitrateIn).toBe(8000);
    expect(sample(report(rows(4, "A")), first).stats.bitrateIn).toBeUndefined();
  });

  it("take no jitter from a track of which nothing comes any more", () => {
    const rows = (voice: number, camera: number): Rows => [
      { id: "V", type: "inbound-rtp", timestamp: 0, kind: "audio", packetsReceived: voice, jitter: 0.002 },
      { id: "C", type: "inbound-rtp", timestamp: 0, kind: "video", packetsReceived: camera, jitter: 0.09 },
    ];
    const first = sample(report(rows(10, 10)), undefined);
    expect(first.stats.jitter).toBe(0.09);
    expect(sample(report(rows(20, 10)), first).stats.jitter).toBe(0.002);
  });

  it("of nothing are undefined, not 0", () => {
    const { stats } = sample(report([]), undefined);
    expect([stats.roundTrip, stats.loss, stats.bitrateIn, stats.local, stats.dtls]).toEqual(Array(5).fill(undefined));
  });
});

describe("the path in words", () => {
  const words = (local: object, remote: object, said?: "udp" | "tcp" | "tls") =>
    pathOf(sample(report(chromium(1, { local, remote })), undefined).stats, said)?.words;
  const relay = { candidateType: "relay" };

  it.each([
    ["direct", {}, {}, undefined],
    ["direct", { candidateType: "prflx" }, { candidateType: "prflx" }, undefined],
    ["through TURN over UDP", { ...relay, relayProtocol: "udp" }, {}, undefined],
    ["through TURN over TCP", { ...relay, relayProtocol: "tcp" }, relay, "udp"],
    ["through TURN over TLS", { ...relay, relayProtocol: "tls" }, {}, undefined],
    ["through TURN over TLS", { ...relay, url: "turns:example.org?transport=tcp" }, {}, undefined],
    ["through TURN over TCP", { ...relay, url: "turn:example.org?transport=tcp" }, {}, undefined],
    ["through TURN over UDP", { ...relay, url: "turn:example.org" }, {}, undefined],
    ["through TURN", relay, {}, undefined],
    ["through TURN", {}, relay, undefined],
    ["through TURN over TLS", {}, relay, "tls"],
    ["through TURN over TCP", {}, { candidateType: "prflx" }, "tcp"],
  ] as const)("%s", (expected, local, remote, said) => expect(words(local, remote, said)).toBe(expected));

  it("is not there before a pair is", () => expect(pathOf(sample(report([]), undefined).stats, "udp")).toBeUndefined());
});

describe("who speaks", () => {
  it("begins after 150 ms and ends after a pause of 800", () => {
    const speakers = new Speakers();
    const heard = (level: number, at: number) => speakers.heard("a", level, at);
    expect(heard(0.2, 0)).toBe(false);
    expect(heard(0.2, 0.1)).toBe(false);
    expect(heard(0.2, 0.15)).toBe(true);
    expect(speakers.isSpeaking("a")).toBe(true);
    expect([heard(0, 1), heard(0.2, 1.5), heard(0, 1.6), heard(0, 2.3)]).toEqual([false, false, false, false]);
    expect(heard(0, 2.5)).toBe(true);
    expect(speakers.isSpeaking("a")).toBe(false);
  });

  it("is not who clicks, nor who is heard of between quiet and loud", () => {
    const speakers = new Speakers();
    const levels = [0.5, 0, 0.5, 0, 0.02, 0.02, 0.02];
    expect(levels.map((level, index) => speakers.heard("a", level, index * 0.1))).toEqual(levels.map(() => false));
    speakers.heard("a", 0.02, 5);
    expect(speakers.isSpeaking("a")).toBe(false);
  });
});

describe("the budget of joining", () => {
  it("is in milliseconds, by the first of each mark, and leaves out what did not come", () => {
    const marks = new BudgetMarks();
    marks.mark("began", 1);
    marks.mark("described", 1.1);
    marks.mark("candidate", 1.15);
    marks.mark("candidate", 1.9);
    marks.mark("agreed", 1.3);
    marks.mark("connected", 1.5);
    marks.mark("secured", 1.6);
    expect(marks.budget()).toEqual({ signal: 300, gather: 50, check: undefined, dtls: 100, frame: undefined, total: 600 });
  });
});

describe("the watch over ICE", () => {
  it("restarts what is disconnected after a second, ever more rarely, until it is connected", () => {
    const watch = new IceWatch(true);
    watch.changed("connected", 0);
    expect(watch.deadline()).toBeUndefined();
    watch.changed("disconnected", 10);
    expect([watch.deadline(), watch.tick(10.9), watch.tick(11)]).toEqual([11, undefined, "restart"]);
    expect([watch.deadline(), watch.tick(13)]).toEqual([13, "restart"]);
    expect(watch.deadline()).toBe(17);
    watch.changed("connected", 14);
    expect([watch.deadline(), watch.tick(20)]).toEqual([undefined, undefined]);
    watch.changed("disconnected", 30);
    expect(watch.deadline()).toBe(31);
  });

  it("begins anew at once where it failed, and waits at most 30 s between", () => {
    const watch = new IceWatch(true);
    watch.changed("checking", 0);
    watch.changed("failed", 5);
    const waits: number[] = [];
    let at = 5;
    for (let count = 0; count < 7; count++) {
      waits.push(watch.deadline()! - at);
      at = watch.deadline()!;
      expect(watch.tick(at)).toBe("anew");
      watch.changed("failed", at);
    }
    expect(waits).toEqual([0, 2, 4, 8, 16, 30, 30]);
  });

  it("takes what does not connect within 12 s for failed, also after a restart", () => {
    const watch = new IceWatch(true);
    watch.agreed(0);
    expect(watch.deadline()).toBe(12);
    watch.changed("checking", 1);
    expect([watch.deadline(), watch.tick(12.9), watch.tick(13)]).toEqual([13, undefined, "anew"]);
    const other = new IceWatch(true);
    other.changed("connected", 0);
    other.changed("disconnected", 1);
    expect(other.tick(2)).toBe("restart");
    other.changed("checking", 2.5);
    expect(other.deadline()).toBe(14.5);
  });

  it("takes what stays disconnected over three restarts that were agreed on for failed", () => {
    const watch = new IceWatch(true);
    watch.changed("connected", 0);
    watch.changed("disconnected", 10);
    const advice: unknown[] = [];
    for (let count = 0; count < 6; count++) {
      const at = watch.deadline()!;
      advice.push(watch.tick(at));
      if (count !== 1) watch.agreed(at + 0.1); // the second was not answered: nothing was tried
    }
    expect(advice).toEqual(["restart", "restart", "restart", "restart", "anew", "anew"]);
    watch.changed("connected", 100);
    watch.changed("disconnected", 110);
    expect(watch.tick(watch.deadline()!)).toBe("restart");
  });

  it("lets the first side go first", () => {
    const [first, second] = [new IceWatch(true), new IceWatch(false)];
    for (const each of [first, second]) each.changed("failed", 0);
    expect([first.deadline(), second.deadline()]).toEqual([0, 1.5]);
  });
});
