/*! wirehop 0.1.0 | Apache-2.0 */

type Transport = "websocket" | "stream" | "sse" | "long-poll" | "short-poll" | "jsonp";
type State = "connecting" | "live" | "catching-up" | "offline" | "closed";
interface ConnectOptions {
    /** A token, or a function that gets a fresh one: asked before each connect, and ahead of its end. */
    token?: string | (() => string | Promise<string>);
    /** `auto` (all but JSONP, by measurement), one, or those that may be used. */
    wires?: "auto" | Transport | Transport[];
    /** Goes with connect. */
    data?: unknown;
    /** Keep the session and positions over a reload. */
    remember?: boolean;
    /**
     * One connection for all tabs of this origin and server that say the same here: `true`, or a word of the application's
     * (the user's id), so that tabs of different users do not share. Without Web Locks or BroadcastChannel: a
     * connection of its own.
     */
    shared?: boolean | string;
    /** For tests: the world. */
    context?: Partial<WireContext>;
}
interface ClientEvents {
    state: {
        state: State;
        code: number;
        reason: string;
        retryIn: number;
    };
    moved: {
        transport: string;
        resumed: boolean;
    };
    /** A wire that was to take over has failed; the old one stays. */
    moveFailed: {
        code: number;
        reason: string;
    };
    message: unknown;
    synced: boolean;
}
/** What a command failed with; codes are in docs/codes.md. */
declare class CommandError extends Error {
    readonly code: number;
    readonly temporary: boolean;
    constructor(code: number, message: string, temporary: boolean);
}
/** Connect to a server (the page's own by default), and stay connected. */
declare function connect(url?: string | URL, options?: ConnectOptions): Client;
declare class Client extends Emitter<ClientEvents> {
    state: State;
    /** Whether everything that was asked has reached the server. */
    synced: boolean;
    private readonly _conversation;
    private readonly _channels;
    private readonly _handlers;
    private readonly _memory;
    private readonly _known;
    private readonly _ends;
    private readonly _context;
    private _wasLive;
    private _share;
    /** The session's public id; empty without a connection. */
    get id(): string;
    /** The kind of the current wire; empty for none. */
    get transport(): string;
    /** How often another wire has taken over, the session going on. */
    get moves(): number;
    /** Whose the connection is: `alone` where it is not shared, else `leader` (this tab's) or `follower` (another's). */
    get role(): Role;
    /** What was measured of each kind of wire that is possible here, and why this one was chosen. */
    wires(): WiresReport;
    /** From now on use these (as the option `wires`): the session moves, unless the current wire is the best of them. */
    use(wires: NonNullable<ConnectOptions["wires"]>): void;
    /** Seconds that an answer takes over the current wire. */
    ping(): Promise<number>;
    /** Go on over another wire: one of `to` (none: any other), beside the current one until it is confirmed. */
    move(...to: Transport[]): void;
    /** Subscribe: from `position` where one is known, else from now on. The same name gives the same channel. */
    channel<T = unknown>(name: string, options?: {
        position?: Position;
        joinLeave?: boolean;
    }): Channel<T>;
    /** Nothing more is wanted of the channel. */
    leave(name: string): void;
    publish(channel: string, data: unknown, { key, event }?: {
        key?: string;
        event?: string;
    }): Promise<Position | undefined>;
    /** Call a method of the server. */
    rpc<T = unknown>(method: string, data?: unknown): Promise<T>;
    /** Send something that wants no reply; resolves when the server is known to have it. */
    send(data: unknown): Promise<void>;
    presence(channel: string): Promise<Record<string, ClientInfo>>;
    history(channel: string, options?: {
        limit?: number;
        since?: Position;
        reverse?: boolean;
    }): Promise<HistoryResult>;
    /** Answer calls of the server. What the function throws goes back as an error. */
    handle<T = unknown>(method: string, handler: (data: T) => unknown): void;
    /** End for good. */
    close(): void;
    /** Break the current wire without a word, as a network does: for demonstrations and tests. */
    cut(): void;
    private _ask;
    private _hear;
    /** A channel that the server has subscribed the session to. */
    private _given;
    /** The state as pages know it. */
    private _settle;
    private _run;
    private _keep;
    private _watchPage;
}

/** One item of a channel. `position` is undefined in channels without a log. */
interface Publication<T = unknown> extends WirePublication<T> {
    channel: string;
    position: Position | undefined;
}
interface ChannelEvents<T> {
    publication: Publication<T>;
    /** The channel is live. `recovered` false: something may have been missed since the last time. */
    subscribed: {
        recovered: boolean | undefined;
        position: Position | undefined;
        byServer: boolean;
    };
    unsubscribed: {
        code: number;
        reason: string;
    };
    join: ClientInfo;
    leave: ClientInfo;
}
declare class Channel<T = unknown> extends Emitter<ChannelEvents<T>> implements AsyncIterable<Publication<T>> {
    private readonly _client;
    readonly name: string;
    isLive: boolean;
    dropped: number;
    /** After the last publication that was received. */
    get position(): Position | undefined;
    /** Publications that the server sent again (after a move, say) and that nobody here has seen twice. */
    get duplicates(): number;
    /** Publish; the position it got. With `key` it is done once, however often it is tried. */
    publish(data: T, options?: {
        key?: string;
        event?: string;
    }): Promise<Position | undefined>;
    /** Who is in the channel, by client id. */
    presence(): Promise<Record<string, ClientInfo>>;
    history(options?: {
        limit?: number;
        since?: Position;
        reverse?: boolean;
    }): Promise<HistoryResult>;
    /** Nothing more is wanted of it. Iterators end. */
    unsubscribe(): void;
    [Symbol.asyncIterator](): AsyncGenerator<Publication<T>, void, undefined>;
}

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

/**
 * What travels, by the names of the wire (JSON lines): commands up, replies and pushes down.
 *
 * Values and no rules. A field that is absent has its default: 0, "", false or empty. Payloads are any JSON.
 */
/** The id of every `connect`: outside of the numbers. */
declare const CONNECT_ID = 4294967295;
/** From here on ids are not numbered; such commands run at once. */
declare const FIRST_UNNUMBERED_ID = 4000000000;
/** A place in a channel's log. */
interface Position {
    epoch: string;
    offset: number;
}
interface ClientInfo {
    user?: string;
    client?: string;
    conn_info?: unknown;
    chan_info?: unknown;
}
/** One item of a channel, as it came. Offset 0 or absent: it has no place in the log. */
interface WirePublication<T = unknown> {
    data: T;
    offset?: number;
    info?: ClientInfo;
    tags?: Record<string, string>;
    time?: number;
    key?: string;
}
interface SubscribeRequest {
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
interface ConnectRequestWh {
    token?: string;
    positions?: Record<string, Partial<Position>>;
    acked?: number[];
}
interface ConnectRequest {
    token?: string;
    data?: unknown;
    name?: string;
    version?: string;
    headers?: Record<string, string>;
    wh?: ConnectRequestWh;
}
interface CommandWh {
    attach?: number;
    acked?: number[];
    bye?: boolean;
}
/** One thing asked: one field beside `id` and `wh`. None at all (`{}`) answers a session ping. */
interface Command {
    id?: number;
    connect?: ConnectRequest;
    subscribe?: SubscribeRequest;
    unsubscribe?: {
        channel: string;
    };
    publish?: {
        channel: string;
        data: unknown;
        wh?: {
            key?: string;
            event?: string;
            kind?: number;
        };
    };
    presence?: {
        channel: string;
    };
    presence_stats?: {
        channel: string;
    };
    history?: {
        channel: string;
        limit?: number;
        since?: Position;
        reverse?: boolean;
    };
    ping?: Record<string, never>;
    send?: {
        data: unknown;
    };
    rpc?: {
        method: string;
        data: unknown;
    };
    refresh?: {
        token: string;
    };
    sub_refresh?: {
        channel: string;
        token: string;
    };
    wh?: CommandWh;
}
interface ReplyError {
    code: number;
    message: string;
    temporary?: boolean;
}
interface SubscribeResult {
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
interface ConnectResultWh {
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
interface ConnectResult {
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
interface HistoryResult {
    publications?: WirePublication[];
    epoch?: string;
    offset?: number;
}
interface Move {
    to?: string[];
    spread_ms?: number;
    reason?: string;
}
interface Push {
    channel?: string;
    pub?: WirePublication;
    join?: {
        info: ClientInfo;
        rev?: number;
    };
    leave?: {
        info: ClientInfo;
        rev?: number;
    };
    subscribe?: SubscribeResult;
    unsubscribe?: {
        code: number;
        reason: string;
    };
    message?: {
        data: unknown;
    };
    disconnect?: {
        code: number;
        reason: string;
        reconnect?: boolean;
    };
    refresh?: {
        expires?: boolean;
        ttl?: number;
    };
    wh?: {
        move?: Move;
        call?: number;
        method?: string;
    };
}
/** The answer to a command, a push, or with nothing set a session ping. */
interface Reply {
    id?: number;
    error?: ReplyError;
    connect?: ConnectResult;
    subscribe?: SubscribeResult;
    unsubscribe?: Record<string, never>;
    publish?: {
        wh?: Partial<Position>;
    };
    presence?: {
        presence?: Record<string, ClientInfo>;
        rev?: number;
    };
    presence_stats?: {
        num_clients?: number;
        num_users?: number;
    };
    history?: HistoryResult;
    ping?: Record<string, never>;
    rpc?: {
        data?: unknown;
    };
    refresh?: {
        client?: string;
        version?: string;
        expires?: boolean;
        ttl?: number;
    };
    sub_refresh?: {
        expires?: boolean;
        ttl?: number;
    };
    push?: Push;
    wh?: {
        next?: number;
    };
}

/** Whose the connection is: this tab's alone; this tab's, for others too; another tab's. */
type Role = "alone" | "leader" | "follower";
/** What was measured of each kind of wire that is possible here, and why this one was chosen. */
interface WiresReport {
    current: string;
    why: string;
    /** `offered`: whether the server has it (undefined: not known before the first connect). */
    wires: (WireReport & {
        offered?: boolean | undefined;
    })[];
    role: Role;
    /** Why `shared` was asked for and is not to be had; else empty. */
    notShared: string;
}

declare const ORDER: string[];
interface WireReport {
    transport: string;
    /** Whether it may be used. */
    allowed: boolean;
    cost: number;
    connected: number;
    failed: number;
    connectSeconds: number | undefined;
    /** Seconds, smoothed. */
    roundTrip: number | undefined;
    /** Answers that took more than 2 s. */
    stalls: number;
    /** Of the current wire: seconds since its last byte. */
    silence: number | undefined;
    buffered: boolean;
    lastFailure: string;
}
interface ChooserOptions {
    offered: string[];
    /** The others are known, and not used until they are offered. */
    possible?: string[];
    origin: string;
    storage?: Pick<Storage, "getItem" | "setItem"> | undefined;
    now(): number;
    wall(): number;
    random(): number;
}
declare class Chooser {
    private readonly _options;
    /** In words, why the last one was chosen. */
    why: string;
    private readonly _seen;
    private readonly _key;
    private _remembered;
    /** The first of the race that is on. */
    private _tried;
    private _probe;
    private _offered;
    /** When to ask for a better one. */
    probeAt: number;
    constructor(_options: ChooserOptions);
    /** From now on these. `better` says at once whether another one is due. */
    offer(transports: string[]): void;
    allows(transport: string): boolean;
    /** Whether there is anything to choose. */
    get isFree(): boolean;
    /** What to start on, and what races with it where that fails or is slow. */
    first(): string[];
    /** Seconds after which the next wire joins the first: more where that is known to take its time. */
    get raceAfter(): number;
    /** The best one besides the given (a move that nobody said where to). */
    next(after: string): string;
    connected(transport: string, seconds: number): void;
    failed(transport: string, reason: string, trouble?: number): void;
    measured(transport: string, { roundTrip, buffered }: Measured): void;
    /** A wire that deserves another try from the current one, now; undefined: none, or not yet. */
    better(current: string): string | undefined;
    report(): WireReport[];
    private _pause;
    private _order;
    private _cost;
    private _troubleOf;
    private _charge;
    private _cheap;
    private _recall;
}

/** Who hears of a wire. After `lost` nothing more comes, and nothing after `close`. */
interface WireListener {
    /** Replies came, in order. */
    received(replies: Reply[]): void;
    /** The wire is gone: a close code of the protocol, or 0 where there is none. */
    lost(code: number, reason: string): void;
    /** What the wire finds out by itself. */
    measured?(found: Measured): void;
}
/** What was found out about a wire: seconds there and back; whether bytes are held back on the way. */
interface Measured {
    roundTrip?: number;
    buffered?: boolean;
}
/** `lastByteAt` by the context's clock. */
interface WireFigures {
    lastByteAt: number;
}
/** The world, as a wire needs it. `paths` are the server's, by name of the wire, relative to `base`. */
interface WireContext {
    base: URL;
    paths: Record<string, string>;
    clock: Clock;
    fetch?: typeof fetch;
    WebSocket?: typeof WebSocket;
    EventSource?: typeof EventSource;
    document?: Document;
    random(): number;
}
/** One wire, for one use. */
interface Wire {
    readonly transport: string;
    /** Open, and transmit the connect as the first command. */
    open(connect: Command, listener: WireListener): void;
    /** Send these, in order. */
    send(commands: Command[]): void;
    /** Find out soon whether it is still alive (after a thaw); `lost` if it is not. */
    check(): void;
    figures(): WireFigures;
    /** End it. With `bye`, deliver these commands as the page goes. Nothing is heard of it any more. */
    close(bye?: Command[]): void;
}
/** Time: `now` is monotonic seconds, `wall` seconds since 1970. */
interface Clock {
    now(): number;
    wall(): number;
    after(seconds: number, run: () => void): number;
    cancel(id: number): void;
}

export { Channel, ChannelEvents, Client, ClientEvents, ClientInfo, CommandError, ConnectOptions, HistoryResult, Position, Publication, Role, State, Transport, WireReport, WiresReport, connect };
