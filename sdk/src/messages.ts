/**
 * What travels, by the names of the wire (JSON lines): commands up, replies and pushes down.
 *
 * Values and no rules. A field that is absent has its default: 0, "", false or empty. Payloads are any JSON.
 */

/** The id of every `connect`: outside of the numbers. */
export const CONNECT_ID = 4294967295;
/** From here on ids are not numbered; such commands run at once. */
export const FIRST_UNNUMBERED_ID = 4000000000;

/** A place in a channel's log. */
export interface Position {
  epoch: string;
  offset: number;
}

export interface ClientInfo {
  user?: string;
  client?: string;
  conn_info?: unknown;
  chan_info?: unknown;
}

/** One item of a channel, as it came. Offset 0 or absent: it has no place in the log. */
export interface WirePublication<T = unknown> {
  data: T;
  offset?: number;
  info?: ClientInfo;
  tags?: Record<string, string>;
  time?: number;
  key?: string;
}

// ---- commands

export interface SubscribeRequest {
  channel: string;
  token?: string;
  data?: unknown;
  recover?: boolean;
  epoch?: string;
  offset?: number;
  positioned?: boolean;
  recoverable?: boolean;
  join_leave?: boolean;
  flag?: number;
}

/** `{}` says that the client speaks `wh` and is new. */
export interface ConnectRequestWh {
  token?: string;
  positions?: Record<string, Partial<Position>>;
  acked?: number[];
}

export interface ConnectRequest {
  token?: string;
  data?: unknown;
  name?: string;
  version?: string;
  headers?: Record<string, string>;
  wh?: ConnectRequestWh;
}

export interface CommandWh {
  attach?: number;
  acked?: number[];
  bye?: boolean;
}

/** One thing asked: one field beside `id` and `wh`. None at all (`{}`) answers a session ping. */
export interface Command {
  id?: number;
  connect?: ConnectRequest;
  subscribe?: SubscribeRequest;
  unsubscribe?: { channel: string };
  publish?: { channel: string; data: unknown; wh?: { key?: string; event?: string; kind?: number } };
  presence?: { channel: string };
  presence_stats?: { channel: string };
  history?: { channel: string; limit?: number; since?: Position; reverse?: boolean };
  ping?: Record<string, never>;
  send?: { data: unknown };
  rpc?: { method: string; data: unknown };
  refresh?: { token: string };
  sub_refresh?: { channel: string; token: string };
  wh?: CommandWh;
}

// ---- replies

export interface ReplyError {
  code: number;
  message: string;
  temporary?: boolean;
}

export interface SubscribeResult {
  recoverable?: boolean;
  positioned?: boolean;
  epoch?: string;
  offset?: number;
  recovered?: boolean;
  was_recovering?: boolean;
  publications?: WirePublication[];
  data?: unknown;
  expires?: boolean;
  ttl?: number;
}

export interface ConnectResultWh {
  attach?: number;
  token?: string;
  resumed?: boolean;
  next?: number;
  limit?: number;
  window?: number;
  subs?: Record<string, SubscribeResult>;
  ended?: Record<string, number>;
  keep?: number;
  wires?: Record<string, string>;
}

export interface ConnectResult {
  client?: string;
  version?: string;
  data?: unknown;
  expires?: boolean;
  ttl?: number;
  subs?: Record<string, SubscribeResult>;
  ping?: number;
  pong?: boolean;
  session?: string;
  node?: string;
  wh?: ConnectResultWh;
}

export interface HistoryResult {
  publications?: WirePublication[];
  epoch?: string;
  offset?: number;
}

export interface Move {
  to?: string[];
  spread_ms?: number;
  reason?: string;
}

export interface Push {
  channel?: string;
  pub?: WirePublication;
  join?: { info: ClientInfo; rev?: number };
  leave?: { info: ClientInfo; rev?: number };
  subscribe?: SubscribeResult;
  unsubscribe?: { code: number; reason: string };
  message?: { data: unknown };
  disconnect?: { code: number; reason: string; reconnect?: boolean };
  refresh?: { expires?: boolean; ttl?: number };
  wh?: { move?: Move; call?: number; method?: string };
}

/** The answer to a command, a push, or with nothing set a session ping. */
export interface Reply {
  id?: number;
  error?: ReplyError;
  connect?: ConnectResult;
  subscribe?: SubscribeResult;
  unsubscribe?: Record<string, never>;
  publish?: { wh?: Partial<Position> };
  presence?: { presence?: Record<string, ClientInfo>; rev?: number };
  presence_stats?: { num_clients?: number; num_users?: number };
  history?: HistoryResult;
  ping?: Record<string, never>;
  rpc?: { data?: unknown };
  refresh?: { client?: string; version?: string; expires?: boolean; ttl?: number };
  sub_refresh?: { expires?: boolean; ttl?: number };
  push?: Push;
  wh?: { next?: number };
}
