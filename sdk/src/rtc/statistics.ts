/**
 * What a connection measures, from two reports of `getStats` one after the other. Pure.
 *
 * Browsers differ in what they report: what is not there is undefined, not 0. Firefox marks the pair in use as `selected`,
 * Chromium names it in the transport.
 */

export type RelayProtocol = "udp" | "tcp" | "tls";

/** One end of the pair in use. `type`: host, srflx (behind a NAT), prflx (learned from a check), relay. */
export interface EndReport {
  type: RTCIceCandidateType;
  protocol: string;
  address: string;
  /** How this side reaches its TURN server. */
  relay: RelayProtocol | undefined;
}

export interface PeerStats {
  /** Seconds there and back. */
  roundTrip: number | undefined;
  /** Part of the packets that were lost on the way here, and (as the other side says) there: 0 to 1. */
  loss: number | undefined;
  lossOut: number | undefined;
  /** Seconds; the worst of the tracks of which something came since the sample before. */
  jitter: number | undefined;
  /** Bits per second, media and data. */
  bitrateIn: number | undefined;
  bitrateOut: number | undefined;
  /** Frames per second that were decoded and encoded, of all video together. */
  fpsIn: number | undefined;
  fpsOut: number | undefined;
  framesDecoded: number;
  framesSent: number;
  packetsIn: number;
  packetsOut: number;
  local: EndReport | undefined;
  remote: EndReport | undefined;
  dtls: string | undefined;
  srtpCipher: string | undefined;
}

/** What is needed of a report for the next one. */
export interface Sample {
  at: number;
  values: Record<"bytesIn" | "bytesOut" | "packetsIn" | "packetsOut" | "lost" | "decoded" | "encoded", number>;
  /** Packets that came, by the id of the track's row. */
  tracks: Map<string, number>;
  pair: string;
  stats: PeerStats;
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- each browser has fields of its own
type Row = Record<string, any> & { id: string; type: string; timestamp: number };
/** An `RTCStatsReport`, or anything that is walked like it. */
export interface Report {
  forEach(each: (row: Row) => void): void;
}

export function sample(report: Report, before: Sample | undefined): Sample {
  const rows = new Map<string, Row>();
  report.forEach((row) => rows.set(row.id, row));
  const of = (type: string) => [...rows.values()].filter((row) => row.type === type);
  const sum = (found: Row[], field: string) => found.reduce((total, row) => total + Number(row[field] ?? 0), 0);
  const [transport] = of("transport");
  const pair = pairOf(rows, transport);
  const inbound = of("inbound-rtp");
  const outbound = of("outbound-rtp");
  const echoes = of("remote-inbound-rtp");
  const bytes = transport && "bytesReceived" in transport ? transport : pair;
  const at = Number(bytes?.timestamp ?? inbound[0]?.timestamp ?? 0) / 1000;
  const values = {
    bytesIn: Number(bytes?.bytesReceived ?? 0),
    bytesOut: Number(bytes?.bytesSent ?? 0),
    packetsIn: sum(inbound, "packetsReceived"),
    packetsOut: sum(outbound, "packetsSent"),
    lost: sum(inbound, "packetsLost"),
    decoded: sum(inbound, "framesDecoded"),
    encoded: sum(outbound, "framesEncoded"),
  };
  const id = bytes === pair ? (pair?.id ?? "") : "transport";
  const seconds = before && before.pair === id ? at - before.at : 0;
  const rate = (field: keyof Sample["values"]) => {
    const risen = values[field] - (before?.values[field] ?? 0);
    return seconds > 0 && risen >= 0 ? risen / seconds : undefined;
  };
  const times = (factor: number, value: number | undefined) => (value === undefined ? undefined : factor * value);
  const most = (found: Row[], field: string) =>
    found.reduce<number | undefined>(
      (top, row) => (row[field] === undefined ? top : Math.max(top ?? 0, Number(row[field]))),
      undefined,
    );
  const stats: PeerStats = {
    roundTrip: (pair?.currentRoundTripTime as number | undefined) ?? most(echoes, "roundTripTime"),
    loss: lossOf(values, before),
    lossOut: most(echoes, "fractionLost"),
    jitter: most(inbound.filter((row) => Number(row.packetsReceived) > (before?.tracks.get(row.id) ?? 0)), "jitter"),
    bitrateIn: times(8, rate("bytesIn")),
    bitrateOut: times(8, rate("bytesOut")),
    fpsIn: rate("decoded"),
    fpsOut: rate("encoded"),
    framesDecoded: values.decoded,
    framesSent: sum(outbound, "framesSent"),
    packetsIn: values.packetsIn,
    packetsOut: values.packetsOut,
    local: endOf(pair && rows.get(pair.localCandidateId)),
    remote: endOf(pair && rows.get(pair.remoteCandidateId)),
    dtls: transport?.dtlsState,
    srtpCipher: transport?.srtpCipher,
  };
  const tracks = new Map(inbound.map((row) => [row.id, Number(row.packetsReceived ?? 0)]));
  return { at, values, tracks, pair: id, stats };
}

function pairOf(rows: Map<string, Row>, transport: Row | undefined): Row | undefined {
  const named = transport?.selectedCandidatePairId && rows.get(transport.selectedCandidatePairId);
  if (named) return named;
  const pairs = [...rows.values()].filter((row) => row.type === "candidate-pair");
  return (
    pairs.find((row) => row.selected) ?? pairs.find((row) => row.nominated && (row.state as string) === "succeeded")
  );
}

function lossOf(values: Sample["values"], before: Sample | undefined): number | undefined {
  const lost = values.lost - (before?.values.lost ?? 0);
  const came = values.packetsIn - (before?.values.packetsIn ?? 0);
  return came > 0 && lost + came > 0 ? Math.max(lost, 0) / (Math.max(lost, 0) + came) : undefined;
}

function endOf(candidate: Row | undefined): EndReport | undefined {
  if (!candidate) return undefined;
  const { candidateType, protocol, address, port, relayProtocol, url } = candidate as Record<string, unknown>;
  return {
    type: candidateType as RTCIceCandidateType,
    protocol: String(protocol ?? ""),
    address: address ? `${String(address)}:${String(port)}` : "",
    relay: candidateType === "relay" ? relayOf(relayProtocol, url) : undefined,
  };
}

function relayOf(protocol: unknown, url: unknown): RelayProtocol | undefined {
  if (protocol) return String(protocol) as RelayProtocol;
  if (!url) return undefined;
  return /^turns:/.test(String(url)) ? "tls" : /transport=tcp/.test(String(url)) ? "tcp" : "udp";
}

/** How two participants reach each other. */
export interface Path {
  /** "direct", "through TURN over UDP" (TCP, TLS), or "through TURN" where the other side does not say how. */
  words: string;
  local: EndReport;
  remote: EndReport;
}

/** `said`: what the other side reaches its relay over, as far as it is known to use one. */
export function pathOf(stats: PeerStats, said: RelayProtocol | undefined): Path | undefined {
  const { local, remote } = stats;
  if (!local || !remote) return undefined;
  const over = local.type === "relay" ? local.relay : said;
  const isRelayed = local.type === "relay" || remote.type === "relay" || !!said;
  return { words: !isRelayed ? "direct" : `through TURN${over ? ` over ${over.toUpperCase()}` : ""}`, local, remote };
}
