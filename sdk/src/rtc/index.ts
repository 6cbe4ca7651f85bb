/** Audio, video, screens and data between the participants of a room. */

export { joinRoom, Room } from "./room.js";
export type { JoinOptions, Me, RoomEvents, RoomState } from "./room.js";
export type { DropReason } from "./signals.js";
export { Participant } from "./participant.js";
export type { ParticipantState, RemoteTrack } from "./participant.js";
export { LocalMedia } from "./media.js";
export type { Devices, LocalMediaEvents, Source, SourceState, Wanted } from "./media.js";
export { PeerChannel } from "./channels.js";
export type { ChannelOptions, Payload, PeerChannelEvents } from "./channels.js";
export { RtcError } from "./errors.js";
export type { RtcErrorName } from "./errors.js";
export type { EndReport, Path, PeerStats, RelayProtocol } from "./statistics.js";
export type { JoinBudget } from "./budget.js";
export { preflight } from "./preflight.js";
export type { PreflightName, PreflightReport, PreflightStep } from "./preflight.js";
