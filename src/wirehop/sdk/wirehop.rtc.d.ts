/*! wirehop 0.1.0 | Apache-2.0 */

import type { Channel, Client } from "./wirehop.js";

interface JoinOptions {
    /** Microphone and camera from the beginning: `true`, a device's id, constraints, or a track of one's own. */
    audio?: Wanted;
    video?: Wanted;
    /** What to be called; without it what the server knows. */
    name?: string;
    /** Goes to the others with the name. */
    info?: unknown;
    /** `relay`: only by TURN, which hides addresses. */
    iceTransportPolicy?: RTCIceTransportPolicy;
    /** Sources that are on already, from a preview: the room takes them over. */
    local?: LocalMedia;
}
interface Me {
    /** Changes when the session begins anew. */
    id: string;
    name: string;
}
type RoomState = "joining" | "joined" | "offline" | "left";
interface RoomEvents {
    joined: Participant;
    left: Participant;
    track: RemoteTrack & {
        participant: Participant;
    };
    trackEnded: RemoteTrack & {
        participant: Participant;
    };
    /** `track.muted` has changed. */
    muted: RemoteTrack & {
        participant: Participant;
    };
    state: {
        participant: Participant;
        state: ParticipantState;
    };
    /** Of the room itself. `rejoined`: with a new session, all participants are made anew. */
    room: {
        state: RoomState;
        rejoined: boolean;
    };
    speaking: {
        participant: Participant;
        speaking: boolean;
        level: number;
    };
    stats: {
        participant: Participant;
        stats: PeerStats;
    };
    path: {
        participant: Participant;
        path: Path;
    };
    budget: {
        participant: Participant;
        budget: JoinBudget;
    };
    /** The other side has opened a data channel. */
    data: {
        participant: Participant;
        channel: PeerChannel;
    };
    error: {
        error: RtcError;
        participant: Participant | undefined;
    };
}
declare class Room extends Emitter<RoomEvents> {
    private readonly _client;
    readonly name: string;
    private readonly _options;
    state: RoomState;
    readonly participants: Map<string, Participant>;
    readonly local: LocalMedia;
    /** The room's channel, for chat and the like. */
    channel: Channel;
    readonly me: Me;
    /** Signals that were not for us, or of a kind that nobody knows. */
    dropped: number;
    private readonly _ice;
    private readonly _ends;
    private readonly _timers;
    private readonly _speakers;
    private readonly _calls;
    private _began;
    /** Whether a call can work from here: each way to a relay, with what to change where it fails. */
    preflight(): Promise<PreflightReport>;
    /** Leave: connections are closed, devices are free, the channel is unsubscribed. */
    leave(): void;
    private _subscribed;
    private _join;
    /** Who has this id; somebody unknown has just come. */
    private _participant;
    private _gone;
    private _is;
    private _send;
    private _info;
    private _world;
    private _fail;
    private _measure;
    private _listen;
}
/** Join a room. It resolves when we are in it; a device that cannot be had is an `error` event, not a failure. */
declare function joinRoom(client: Client, name: string, options?: JoinOptions): Promise<Room>;

/**
 * Typed events. A listener gets the event's value; one that throws is reported and disturbs nobody else.
 *
 * It knows the names and types of its events (`Events`) and nothing of what they mean.
 */
type Listener<V> = (value: V) => void;
/** As an `EventTarget`'s: `once`, or until the signal aborts. */
interface ListenOptions {
    once?: boolean;
    signal?: AbortSignal;
}
declare class Emitter<Events extends object> {
    private readonly _listeners;
    /** Listen; the returned function ends it. The same listener twice counts once. */
    on<K extends keyof Events>(type: K, listener: Listener<Events[K]>, options?: ListenOptions): () => void;
    /** Do not listen any more. */
    off<K extends keyof Events>(type: K, listener: Listener<Events[K]>): void;
    /** As `on`, by the name an `EventTarget` has for it. */
    addEventListener<K extends keyof Events>(type: K, listener: Listener<Events[K]>, options?: ListenOptions): void;
    /** As `off`. */
    removeEventListener<K extends keyof Events>(type: K, listener: Listener<Events[K]>): void;
}
/** To where uncaught errors go, without stopping what runs. */
declare function report(error: unknown): void;

/** Where the time of joining went, for one participant: from `join` to the first frame. Pure. */
/** In milliseconds. Undefined: it did not come to that, or not in this order. They overlap; `total` is not their sum. */
interface JoinBudget {
    /** From joining (or, later, from when the other one came) until both descriptions are set. */
    signal: number | undefined;
    /** From the local description to the first candidate. */
    gather: number | undefined;
    /** From the first check to a pair that works. */
    check: number | undefined;
    /** From there until keys are agreed on. */
    dtls: number | undefined;
    /** From there until the first frame (or, without video, the first packet) was there. */
    frame: number | undefined;
    /** From the beginning to the last mark that there is. */
    total: number;
}
type Mark = "began" | "described" | "candidate" | "agreed" | "checking" | "connected" | "secured" | "frame";
declare class BudgetMarks {
    private readonly _at;
    /** The first time counts. */
    mark(mark: Mark, now: number): void;
    has(mark: Mark): boolean;
    budget(): JoinBudget;
}

interface ChannelOptions {
    /** False: what is lost is not sent again. */
    reliable?: boolean;
    ordered?: boolean;
}
type Payload = string | ArrayBuffer | ArrayBufferView<ArrayBuffer>;
interface PeerChannelEvents {
    open: PeerChannel;
    message: string | ArrayBuffer;
    /** It carries nothing for now (or for ever, when the participant or we left). */
    closed: PeerChannel;
}
declare class PeerChannel extends Emitter<PeerChannelEvents> {
    readonly label: string;
    readonly options: Readonly<Required<ChannelOptions>>;
    private readonly _largest;
    /** Bytes that a connection had taken when it broke, and that may not have arrived. */
    lost: number;
    private _own;
    private _theirs;
    private _waiting;
    private _waitingBytes;
    private _isOver;
    get isOpen(): boolean;
    /** Bytes that were given to it and have not left. */
    get buffered(): number;
    /** Send. Resolves when the channel has taken it and is below its high mark: wait for it, and nothing piles up. */
    send(data: Payload): Promise<void>;
    private _open;
    private _opened;
    private _detach;
    private _flush;
}
/** All channels to one participant. */
declare class PeerChannels {
    private readonly _came;
    private readonly _channels;
    private readonly _own;
    private _connection;
    /** `came` is called with a channel that the other side has opened. */
    constructor(_came: (channel: PeerChannel) => void);
    get(label: string, { reliable, ordered }?: ChannelOptions): PeerChannel;
    /** There is a connection: open what is ours. */
    opened(connection: RTCPeerConnection): void;
    dropped(): void;
    /** The other side has opened one. */
    arrived(channel: RTCDataChannel): void;
    close(): void;
    private _make;
    private _offer;
}

/** What can go wrong in a room, by name, with the code of the table (docs/codes.md) that comes nearest. */
type RtcErrorName = "NotInRoom" | "NoSuchParticipant" | "LimitExceeded" | "Signaling" | "Ice" | "Negotiation" | "DeviceForbidden" | "DeviceMissing" | "DeviceBusy" | "DeviceFailed" | "NotSupported" | "Closed";
declare class RtcError extends Error {
    readonly name: RtcErrorName;
    readonly code: number;
    constructor(name: RtcErrorName, message: string, code?: number);
}
/** What the server refused, by the code of its error. */
declare function refused(error: unknown, what: string): RtcError;
/** Why a device was not given (a `DOMException` of getUserMedia or getDisplayMedia). */
declare function deviceError(error: unknown, what: string): RtcError;

type Source = "microphone" | "camera" | "screen" | "screen-audio";
declare const SOURCES: readonly Source[];
/** `muted`: there, and nothing is sent of it for now. */
type SourceState = "on" | "muted" | "off";
/** Yes, no, the id of a device, what it must be like, or a track of the page's own. */
type Wanted = boolean | string | MediaTrackConstraints | MediaStreamTrack;
interface Devices {
    microphones: MediaDeviceInfo[];
    cameras: MediaDeviceInfo[];
    speakers: MediaDeviceInfo[];
}
interface LocalMediaEvents {
    /** A source is on, muted or off now. `byUser`: not asked for by the page (the browser's own button, a pulled plug). */
    changed: {
        source: Source;
        state: SourceState;
        track: MediaStreamTrack | undefined;
        byUser: boolean;
    };
    /** Devices have come or gone. */
    devices: Devices;
}
declare class LocalMedia extends Emitter<LocalMediaEvents> {
    private readonly _devices;
    private readonly _held;
    private readonly _turns;
    private readonly _end;
    private _isOver;
    /** The track of a source, muted or not: for previews and level meters. */
    track(source: Source): MediaStreamTrack | undefined;
    state(source: Source): SourceState;
    /** On, muted (false), or another device (its id). Changing is by replacing: nothing is negotiated. */
    setMicrophone(wanted: Wanted): Promise<void>;
    /** On, off (false: the device is free again), or another device. */
    setCamera(wanted: Wanted): Promise<void>;
    /** Share a screen, window or tab; the user chooses. `audio`: its sound too, where the browser can. */
    shareScreen({ audio, video }?: {
        audio?: boolean;
        video?: Wanted;
    }): Promise<void>;
    /** Share no more. */
    stopScreen(): Promise<void>;
    /** What can be chosen. Labels are empty until a device was allowed. */
    devices(): Promise<Devices>;
    /** Let go of every device. */
    close(): void;
    /** One change of a source at a time: a slow device does not overtake what was asked after it. */
    private _inTurn;
    private _open;
    private _hold;
    private _mute;
    private _stopScreen;
    private _release;
    private _tell;
}

type PreflightName = "ice-servers" | "stun-udp" | "turn-udp" | "turn-tcp" | "turn-tls" | "relay";
interface PreflightStep {
    name: PreflightName;
    /** `skipped`: the server does not offer it, or what it needs has failed. */
    result: "ok" | "failed" | "skipped";
    milliseconds: number;
    /** Why, and what to change; empty where it worked. */
    reason: string;
    advice: string;
}
interface PreflightReport {
    /** Whether a call can work from here: some way to a relay works, or UDP does. */
    ok: boolean;
    steps: PreflightStep[];
}
/** Try every way. `channel` is a room that one may join; joining it is not needed. */
declare function preflight(client: Client, channel: string): Promise<PreflightReport>;

type ParticipantState = "connecting" | "connected" | "reconnecting" | "failed" | "closed";
/** What somebody sends, as it is received. */
interface RemoteTrack {
    source: Source;
    track: MediaStreamTrack;
    /** For an element's `srcObject`: microphone and camera are in one stream, a screen and its sound in another. */
    stream: MediaStream;
    /** Nothing is sent of it for now. */
    muted: boolean;
}
/** What participants tell each other beside descriptions: `{instance, info}` as a signal, all of it each time. */
interface ParticipantInfo {
    name?: string;
    data?: unknown;
    /** What is sent; what is absent is off. */
    sources?: Partial<Record<Source, SourceState>>;
    /** The sender reaches the other side by its own TURN server, so. */
    relay?: RelayProtocol;
}
declare class Participant {
    readonly id: string;
    private readonly _world;
    state: ParticipantState;
    /** What the server says of the connection (`conn_info`), or the participant itself (the option `info`). */
    info: unknown;
    /** What is received now. */
    readonly tracks: Map<Source, RemoteTrack>;
    path: Path | undefined;
    stats: PeerStats | undefined;
    budget: JoinBudget | undefined;
    private _name;
    private _user;
    private _said;
    private _told;
    private _wasConnected;
    private _sample;
    private _marks;
    private _instance;
    private _theirs;
    private _retry;
    private _timer;
    private readonly _received;
    private readonly _streams;
    private readonly _channels;
    private readonly _link;
    /** The user that the server knows; empty for somebody anonymous. */
    get user(): string;
    /** What to call them. */
    get name(): string;
    /** The peer connection, for what the SDK does not offer. It is another one after each reconnect. */
    get connection(): RTCPeerConnection | undefined;
    /** How often ICE was restarted, and how often the connection was made anew. */
    get repairs(): {
        restarts: number;
        renewals: number;
    };
    /** Signals that came and were not used, by reason. */
    get dropped(): Partial<Record<DropReason, number>>;
    /** A data channel; both have it, whoever asks first. `reliable` false: what is lost is not sent again. */
    channel(label: string, options?: ChannelOptions): PeerChannel;
    /** Find new paths now. */
    restart(): Promise<void>;
    private _measured;
    private _changed;
    private _dropped;
    private _is;
    private _take;
    /** A source is there if it is received, and said to be; from those who say nothing, when something comes. */
    private _settle;
    /** Until the first frame is decoded; without video, until the first packet is there. */
    private _awaitFrame;
}

/**
 * What two participants say to each other about their connection, and what a negotiation wants done.
 *
 * A `Signal` travels as JSON inside of `rtc.signal`; docs/rtc.md describes it. It knows no room and no server.
 */
/** A generation above it is no generation. */
declare const MOST_GENERATION: number;
/** Candidates of one generation that wait for their description, and local ones that are remembered, at most. */
declare const WAITING_CANDIDATES = 64;
/** Candidates that wait at a time, of all generations. */
declare const WAITING_IN_ALL = 192;
/** An ICE candidate, as `RTCIceCandidate.toJSON()` has it. */
interface Candidate {
    candidate: string;
    sdpMid?: string | null;
    sdpMLineIndex?: number | null;
    usernameFragment?: string | null;
}
/**
 * One of: an offer, an answer, a candidate (null: there are no more), a wish for a restart, a goodbye.
 *
 * `instance` is the sender's peer connection. `gen` is the generation of the offer or answer, or the one that a candidate
 * belongs to, or the newest that who asks for a restart knows. `of`, of an answer: the peer connection that offered. `to`,
 * of an offer: the peer connection that it goes on with; none if it goes with any that is fresh. `fixed`: the sender can
 * neither roll back nor restart.
 */
interface Signal {
    instance: string;
    gen?: number;
    offer?: string;
    answer?: string;
    of?: string;
    to?: string;
    candidate?: Candidate | null;
    restart?: boolean;
    bye?: boolean;
    fixed?: boolean;
}
/** Why something that came was not used. */
type DropReason = "stale" | "ignored" | "bad" | "full" | "foreign";
type CloseReason = "closed" | "bye" | "failed";
type PairState = "new" | "negotiating" | "stable" | "closed";
type NegotiationOutput = 
/** Make a new peer connection, and drop the one before it, if there is one. */
{
    do: "open";
    instance: string;
}
/** Make an offer, set it as the local description, and say `described(number, …)`. `restart`: with fresh ICE. */
 | {
    do: "make_offer";
    number: number;
    restart: boolean;
} | {
    do: "make_answer";
    number: number;
}
/** Set the remote description (an own offer is rolled back by that), and say `applied(number)`. */
 | {
    do: "apply";
    number: number;
    type: "offer" | "answer";
    sdp: string;
}
/** A candidate of the other side, of the remote description that is set. Null: there are no more. */
 | {
    do: "add_candidate";
    candidate: Candidate | null;
}
/** Say it to the other participant. What is sent arrives in this order, or the participant is gone. */
 | {
    do: "send";
    signal: Signal;
}
/** Drop the peer connection. */
 | {
    do: "close";
    reason: CloseReason;
}
/** `gen` is the generation both sides agreed on last. */
 | {
    do: "state";
    state: PairState;
    gen: number;
};
/** Whether a candidate belongs to a description: by its username fragment, if it says one. */
declare function isOf(candidate: Candidate, sdp: string): boolean;
/** Whether the description has the candidate already. */
declare function standsIn(candidate: Candidate, sdp: string): boolean;

/**
 * What a connection measures, from two reports of `getStats` one after the other. Pure.
 *
 * Browsers differ in what they report: what is not there is undefined, not 0. Firefox marks the pair in use as `selected`,
 * Chromium names it in the transport.
 */
type RelayProtocol = "udp" | "tcp" | "tls";
/** One end of the pair in use. `type`: host, srflx (behind a NAT), prflx (learned from a check), relay. */
interface EndReport {
    type: RTCIceCandidateType;
    protocol: string;
    address: string;
    /** How this side reaches its TURN server. */
    relay: RelayProtocol | undefined;
}
interface PeerStats {
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
interface Sample {
    at: number;
    values: Record<"bytesIn" | "bytesOut" | "packetsIn" | "packetsOut" | "lost" | "decoded" | "encoded", number>;
    /** Packets that came, by the id of the track's row. */
    tracks: Map<string, number>;
    pair: string;
    stats: PeerStats;
}
type Row = Record<string, any> & {
    id: string;
    type: string;
    timestamp: number;
};
/** An `RTCStatsReport`, or anything that is walked like it. */
interface Report {
    forEach(each: (row: Row) => void): void;
}
declare function sample(report: Report, before: Sample | undefined): Sample;
/** How two participants reach each other. */
interface Path {
    /** "direct", "through TURN over UDP" (TCP, TLS), or "through TURN" where the other side does not say how. */
    words: string;
    local: EndReport;
    remote: EndReport;
}
/** `said`: what the other side reaches its relay over, as far as it is known to use one. */
declare function pathOf(stats: PeerStats, said: RelayProtocol | undefined): Path | undefined;

export { ChannelOptions, Devices, DropReason, EndReport, JoinBudget, JoinOptions, LocalMedia, LocalMediaEvents, Me, Participant, ParticipantState, Path, Payload, PeerChannel, PeerChannelEvents, PeerStats, PreflightName, PreflightReport, PreflightStep, RelayProtocol, RemoteTrack, Room, RoomEvents, RoomState, RtcError, RtcErrorName, Source, SourceState, Wanted, joinRoom, preflight };
