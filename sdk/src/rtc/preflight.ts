/**
 * Will a call work from here? Each way to the TURN server is tried by itself, and then something is sent through it.
 *
 * It asks for ICE servers as a room does, so one has to be allowed into the channel that is named. What fails says why, as
 * far as the browser does, and what to change.
 */

import type { Client } from "../client.js";
import { refused } from "./errors.js";
import type { IceAnswer } from "./ice.js";

export type PreflightName = "ice-servers" | "stun-udp" | "turn-udp" | "turn-tcp" | "turn-tls" | "relay";

export interface PreflightStep {
  name: PreflightName;
  /** `skipped`: the server does not offer it, or what it needs has failed. */
  result: "ok" | "failed" | "skipped";
  milliseconds: number;
  /** Why, and what to change; empty where it worked. */
  reason: string;
  advice: string;
}

export interface PreflightReport {
  /** Whether a call can work from here: some way to a relay works, or UDP does. */
  ok: boolean;
  steps: PreflightStep[];
}

type Way = "udp" | "tcp" | "tls";
interface Gathered {
  candidates: RTCIceCandidate[];
  errors: { code: number; text: string }[];
  isTimeout: boolean;
}

const WAYS: readonly Way[] = ["udp", "tcp", "tls"];
const STEP_MILLISECONDS = 8000;
const BLOCKED: Record<Way, string> = {
  udp: "allow UDP to the TURN port in the firewall; calls go over TCP or TLS meanwhile",
  tcp: "allow TCP to the TURN port in the firewall",
  tls: "allow TCP to the TLS port, let no proxy open TLS on the way, and check that the certificate is one that browsers trust",
};

/** Try every way. `channel` is a room that one may join; joining it is not needed. */
export async function preflight(client: Client, channel: string): Promise<PreflightReport> {
  const steps: PreflightStep[] = [];
  const done = (): PreflightReport => {
    const worked = (name: PreflightName) => steps.some((step) => step.name === name && step.result === "ok");
    return { ok: worked("relay") || worked("stun-udp"), steps };
  };
  const began = performance.now();
  let servers: RTCIceServer[];
  try {
    servers = (await inChannel(client, channel, () => client.rpc<IceAnswer>("rtc.ice", { channel }))).ice_servers;
  } catch (error) {
    const reason = refused(error, "rtc.ice").message;
    steps.push(step("ice-servers", "failed", began, reason, "switch rtc on at the server, and let this user into the room"));
    return done();
  }
  steps.push(step("ice-servers", "ok", began));
  const [binding, ...allocations] = await Promise.all([bind(servers), ...WAYS.map((way) => allocate(servers, way))]);
  // an allocation over UDP has shown the same; where there is no NAT, no such candidate is told of
  const isBound = binding.result === "failed" && allocations[0]!.result === "ok";
  steps.push(isBound ? { ...binding, result: "ok", reason: "", advice: "" } : binding, ...allocations);
  const working = WAYS.find((_way, index) => allocations[index]!.result === "ok");
  steps.push(await relay(working ? serversOf(servers, working) : []));
  return done();
}

async function inChannel<T>(client: Client, name: string, run: () => Promise<T>): Promise<T> {
  const channel = client.channel(name);
  if (channel.isLive) return run();
  try {
    await new Promise<void>((live, fail) => {
      channel.on("subscribed", () => live(), { once: true });
      channel.on("unsubscribed", ({ code, reason }) => fail(Object.assign(new Error(reason), { code })), { once: true });
    });
    return await run();
  } finally {
    channel.unsubscribe();
  }
}

/** A binding: what address the server sees. */
async function bind(servers: RTCIceServer[]): Promise<PreflightStep> {
  const began = performance.now();
  const urls = urlsOf(servers).filter((url) => url.startsWith("stun:"));
  if (!urls.length) return step("stun-udp", "skipped", began, "the server names no STUN server", "");
  const found = await gather([{ urls }], "all", (candidate) => candidate.type === "srflx");
  if (found.candidates.some((each) => each.type === "srflx")) return step("stun-udp", "ok", began);
  return step("stun-udp", "failed", began, reasonOf(found), BLOCKED.udp);
}

async function allocate(servers: RTCIceServer[], way: Way): Promise<PreflightStep> {
  const name = `turn-${way}` as const;
  const began = performance.now();
  const wanted = serversOf(servers, way);
  if (!wanted.length) {
    const advice = way === "tls" ? "give the server a certificate" : "switch TURN on at the server (rtc.turn)";
    return step(name, "skipped", began, `the server offers no TURN over ${way.toUpperCase()}`, advice);
  }
  const found = await gather(wanted, "relay", () => true);
  if (found.candidates.length) return step(name, "ok", began);
  return step(name, "failed", began, reasonOf(found), adviceOf(found, way));
}

/** Through the relay to ourselves: permissions, and data both ways. */
async function relay(servers: RTCIceServer[]): Promise<PreflightStep> {
  const began = performance.now();
  if (!servers.length) return step("relay", "skipped", began, "no allocation was had", "");
  const configuration: RTCConfiguration = { iceServers: servers, iceTransportPolicy: "relay" };
  const [here, there] = [new RTCPeerConnection(configuration), new RTCPeerConnection(configuration)];
  try {
    join(here, there);
    join(there, here);
    const channel = here.createDataChannel("preflight");
    there.ondatachannel = ({ channel: echo }) => (echo.onmessage = ({ data }) => echo.send(data as string));
    const heard = new Promise<boolean>((resolve) => {
      channel.onopen = () => channel.send("preflight");
      channel.onmessage = () => resolve(true);
    });
    await here.setLocalDescription(await here.createOffer());
    await there.setRemoteDescription(here.localDescription!);
    await there.setLocalDescription(await there.createAnswer());
    await here.setRemoteDescription(there.localDescription!);
    if (await Promise.race([heard, later(STEP_MILLISECONDS)])) return step("relay", "ok", began);
    const advice = "let the relay's own address be relayed to (rtc.allow_peers, coturn's allowed-peer-ip), and open its relay ports";
    return step("relay", "failed", began, `nothing came through the relay (ICE: ${here.iceConnectionState})`, advice);
  } catch (error) {
    return step("relay", "failed", began, String(error), "");
  } finally {
    here.close();
    there.close();
  }
}

/** Candidates of `from` go to `to`, when it has its description. */
function join(from: RTCPeerConnection, to: RTCPeerConnection): void {
  const waiting: RTCIceCandidate[] = [];
  const flush = () => {
    if (to.remoteDescription) for (const each of waiting.splice(0)) to.addIceCandidate(each).catch(() => undefined);
  };
  from.onicecandidate = ({ candidate }) => {
    if (candidate?.candidate) waiting.push(candidate);
    flush();
  };
  to.addEventListener("signalingstatechange", flush);
}

/** Candidates until one is wanted, all are there, or time is up. */
async function gather(
  iceServers: RTCIceServer[],
  iceTransportPolicy: RTCIceTransportPolicy,
  isEnough: (candidate: RTCIceCandidate) => boolean,
): Promise<Gathered> {
  const found: Gathered = { candidates: [], errors: [], isTimeout: false };
  let connection: RTCPeerConnection | undefined;
  try {
    const gathering = (connection = new RTCPeerConnection({ iceServers, iceTransportPolicy }));
    const complete = new Promise<boolean>((resolve) => {
      gathering.onicecandidateerror = ({ errorCode, errorText }) => found.errors.push({ code: errorCode, text: errorText });
      gathering.onicecandidate = ({ candidate }) => {
        if (!candidate) return resolve(true);
        if (!candidate.candidate) return;
        found.candidates.push(candidate);
        if (isEnough(candidate)) resolve(true);
      };
    });
    gathering.createDataChannel("preflight");
    await gathering.setLocalDescription(await gathering.createOffer());
    found.isTimeout = !(await Promise.race([complete, later(STEP_MILLISECONDS)]));
  } catch (error) {
    found.errors.push({ code: 0, text: String(error) });
  }
  connection?.close();
  return found;
}

function reasonOf({ errors, isTimeout }: Gathered): string {
  const telling = errors.find(({ code }) => code !== 701) ?? errors[0];
  if (telling) return telling.code ? `${telling.code} ${telling.text}`.trim() : telling.text;
  return isTimeout ? `no answer within ${STEP_MILLISECONDS / 1000} s` : "no candidate was found, and the browser does not say why";
}

function adviceOf({ errors }: Gathered, way: Way): string {
  const codes = new Set(errors.map(({ code }) => code));
  if (codes.has(401) || codes.has(438)) {
    return "the credentials are refused: server and TURN server must have the same secret, and clocks that agree";
  }
  if (codes.has(403)) return "the TURN server forbids it: look at its log, which names the rule";
  if (codes.has(486)) return "this user has too many allocations: raise rtc.allocations_per_user, or close other calls";
  if (codes.has(508)) return "the TURN server is full: raise rtc.allocations, or widen rtc.relay_ports";
  return BLOCKED[way];
}

function urlsOf(servers: RTCIceServer[]): string[] {
  return servers.flatMap(({ urls }) => urls);
}

/** The TURN servers of one way only. */
function serversOf(servers: RTCIceServer[], way: Way): RTCIceServer[] {
  const wayOf = (url: string) => (/^turns:/.test(url) ? "tls" : /transport=tcp/.test(url) ? "tcp" : "udp");
  return servers
    .map((server) => ({ ...server, urls: urlsOf([server]).filter((url) => /^turns?:/.test(url) && wayOf(url) === way) }))
    .filter(({ urls }) => urls.length);
}

function step(
  name: PreflightName,
  result: PreflightStep["result"],
  began: number,
  reason = "",
  advice = "",
): PreflightStep {
  return { name, result, milliseconds: Math.round(performance.now() - began), reason, advice };
}

function later(milliseconds: number): Promise<false> {
  return new Promise((resolve) => setTimeout(() => resolve(false), milliseconds));
}
