/** One channel, any wire. */

export { connect, Client, CommandError } from "./client.js";
export type { ClientEvents, ConnectOptions, State, Transport } from "./client.js";
export { Channel } from "./channel.js";
export type { ChannelEvents, Publication } from "./channel.js";
export type { Role, WiresReport } from "./report.js";
export type { WireReport } from "./chooser/chooser.js";
export type { ClientInfo, HistoryResult, Position } from "./messages.js";
