"""The tree of settings: every option once, with its type, default, unit, range and one sentence.

All else is derived from it: flags, environment names, TOML keys, the sample file, the reference page and
`wirehop config`. Durations are seconds (float) and sizes bytes (int) here; people write `30s` and `64KiB`.

It knows the options. It does not know where values come from (`load`), nor which of them contradict each
other (`check`).
"""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct, field

DEFAULT_NAMESPACE: Final = ""
"""The key of the namespace of channels without a prefix. Every source spells it `default`."""

LOOPBACK_ORIGIN: Final = "loopback"
"""In `origins.allowed`: any origin on localhost, 127.0.0.1 or [::1], whatever its scheme and port."""

ANY_ORIGIN: Final = "*"
"""In `origins.allowed`: every origin, but then without cookies and other credentials."""


def _says(sentence: str, *, secret: bool = False) -> Meta:
    return Meta(description=sentence, extra={"unit": "", "secret": secret})


def _count(sentence: str, *, low: int = 0, high: int | None = None) -> Meta:
    return Meta(description=sentence, ge=low, le=high, extra={"unit": "count", "secret": False})


def _seconds(sentence: str, *, low: float = 0.001, high: float | None = None) -> Meta:
    return Meta(description=sentence, ge=low, le=high, extra={"unit": "seconds", "secret": False})


def _bytes(sentence: str, *, low: int = 1) -> Meta:
    return Meta(description=sentence, ge=low, extra={"unit": "bytes", "secret": False})


class Server(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The HTTP server of `wirehop serve`."""

    host: Annotated[str, _says("Address to listen on; `0.0.0.0` or `::` is every address.")] = "127.0.0.1"
    port: Annotated[int, _count("Port to listen on; 0 takes a free one and prints it.", high=65_535)] = 8000
    certificate: Annotated[str, _says("File with the TLS certificate chain (PEM); empty: no TLS.")] = ""
    private_key: Annotated[str, _says("File with the certificate's private key (PEM).")] = ""
    trusted_proxies: Annotated[
        tuple[str, ...],
        _says("Networks (CIDR) whose `Forwarded` and `X-Forwarded-*` headers are believed."),
    ] = ()
    drain: Annotated[
        float,
        _seconds("On SIGTERM, how long sessions are given to move away before the server stops.", low=0),
    ] = 10.0
    loop: Annotated[
        Literal["auto", "uvloop", "asyncio"], _says("Event loop; `auto` is uvloop where it is installed.")
    ] = "auto"
    batch_sender: Annotated[
        Literal["auto", "off", "on"],
        _says(
            "Send to the many subscribers of a channel with one system call (io_uring, Linux 6.1, without TLS); `auto` "
            "is where it works, `on` fails where it does not."
        ),
    ] = "auto"
    max_connections: Annotated[int, _count("Open TCP connections at most; 0: no limit.")] = 0
    log_format: Annotated[
        Literal["auto", "text", "json"],
        _says("Form of the log; `auto` is text on a terminal and JSON elsewhere."),
    ] = "auto"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], _says("The least severe messages that are logged.")
    ] = "info"
    header_bytes: Annotated[int, _bytes("Request line and headers at most.", low=1024)] = 32_768
    header_timeout: Annotated[float, _seconds("How long a client may take to send its headers.")] = 10.0
    body_timeout: Annotated[float, _seconds("How long a client may take to send a body.")] = 30.0
    keep_alive: Annotated[float, _seconds("How long an idle HTTP connection stays open.")] = 75.0
    body_bytes: Annotated[int, _bytes("Body of a request at most.")] = 1_048_576
    write_high_water: Annotated[
        int, _bytes("Unsent bytes of one connection from which its wire counts as congested.")
    ] = 65_536
    compression: Annotated[
        bool,
        _says(
            "Deflate large WebSocket messages where the client offers it; saves bytes and costs time, "
            "also for every message that the client then compresses."
        ),
    ] = False


class Origins(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which web pages may connect."""

    allowed: Annotated[
        tuple[str, ...],
        _says(
            "Origins (`https://example.org`) beside the server's own; `*` is all of them, then without "
            "credentials; `loopback` is any page served from this machine."
        ),
    ] = ()


class Auth(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is at the other end: tokens, cookies, tickets, and an application that is asked over HTTP."""

    secrets: Annotated[
        tuple[str, ...],
        _says("HMAC secrets of tokens (HS256), 32 bytes or more each: the first one signs, all verify.", secret=True),
    ] = ()
    keys: Annotated[
        tuple[str, ...],
        _says("Public keys of tokens (RS256, ES256, EdDSA): PEM files, and JWK sets by file or https URL."),
    ] = ()
    keys_refresh: Annotated[float, _seconds("How long a fetched key set is taken as current.", low=1)] = 3600.0
    keys_retry: Annotated[
        float, _seconds("Time between two fetches of a key set at least, whatever key ids tokens name.", low=0.1)
    ] = 30.0
    keys_stale: Annotated[float, _seconds("How long the keys of a set are used while its URL fails.", low=0)] = 86_400.0
    audience: Annotated[str, _says("What the claim `aud` must name; empty: anything.")] = ""
    issuer: Annotated[str, _says("What the claim `iss` must be; empty: anything.")] = ""
    leeway: Annotated[float, _seconds("How far clocks may differ.", low=0, high=300)] = 5.0
    require_expiry: Annotated[bool, _says("Refuse tokens without the claim `exp`.")] = True
    anonymous: Annotated[bool, _says("Where tokens are set up: let in who has none, as nobody.")] = False
    cookie: Annotated[str, _says("Name of the cookie that may hold a token; empty: cookies are never looked at.")] = ""
    same_site: Annotated[
        Literal["strict", "lax", "none"], _says("SameSite of the cookie; `none` works over https only.")
    ] = "lax"
    ticket_age: Annotated[float, _seconds("How long a ticket for one use (WebSocket, JSONP) is good.", low=1)] = 30.0
    stream_ticket_age: Annotated[float, _seconds("How long a ticket for event streams is good.", low=1)] = 3600.0
    revocation_age: Annotated[
        float, _seconds("How long a revocation is remembered: no token may live longer.", low=1)
    ] = 2_592_000.0
    ask_url: Annotated[str, _says("Where the application is asked who may do what; empty: nowhere.")] = ""
    ask_secret: Annotated[str, _says("Signs the questions (HMAC-SHA256), 32 bytes or more.", secret=True)] = ""
    ask_about: Annotated[
        tuple[str, ...],
        _says("Of `connect`, `refresh` and `sub_refresh`: those the application decides."),
    ] = ()
    ask_signed: Annotated[bool, _says("Take only answers that the application has signed with the secret.")] = False
    ask_timeout: Annotated[float, _seconds("How long the application may take to answer.")] = 3.0
    ask_concurrency: Annotated[int, _count("Questions open at a time.", low=1)] = 32
    ask_waiting: Annotated[int, _count("Questions waiting for their turn; more are refused as temporary.")] = 1000
    ask_cache: Annotated[int, _count("Answers kept, where the application lets us keep them.")] = 10_000


class Api(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The server API over HTTP: publish and manage sessions from any program that has the key."""

    key: Annotated[str, _says("Key of the server API, 16 characters or more; empty: there is no API.", secret=True)] = (
        ""
    )


class Admin(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The admin page: sessions, channels and figures of this node."""

    password: Annotated[
        str,
        _says("Password of the admin page, 8 characters or more; empty: no admin page but in `--dev`.", secret=True),
    ] = ""
    session_age: Annotated[float, _seconds("How long a sign-in to the admin page lasts.", low=1)] = 43_200.0


class Transports(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which wires the server offers."""

    websocket: Annotated[bool, _says("Sessions over WebSocket.")] = True
    sse: Annotated[bool, _says("Sessions over Server-Sent Events.")] = True
    stream: Annotated[bool, _says("Sessions over HTTP streams.")] = True
    poll: Annotated[bool, _says("Sessions over long and short polling.")] = True
    jsonp: Annotated[bool, _says("Sessions over JSONP, for pages that can load nothing but scripts.")] = False
    channels: Annotated[bool, _says("Channels as URLs, for curl and a bare `EventSource`.")] = True
    doctor: Annotated[
        bool, _says("The address that `wirehop doctor URL` examines proxies with; it needs no rights and is bounded.")
    ] = True


class Heartbeat(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a dead wire is noticed."""

    interval: Annotated[
        float,
        _seconds("Time between pings to an idle client; the pong must come within half of it.", low=0.1),
    ] = 25.0


class Sessions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sessions that outlive their wires, of clients that speak `wh`."""

    window: Annotated[
        float, _seconds("How long a session waits without a wire before it ends for good.", low=0, high=86_400)
    ] = 60.0
    per_user: Annotated[int, _count("Sessions of one user that may wait at a time; the oldest end first.", low=1)] = 10
    waiting: Annotated[int, _count("Sessions without a wire that this node keeps at a time; the oldest end first.")] = (
        10_000
    )


class Rtc(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Calls between people (WebRTC), and the TURN server that carries them where no direct way is."""

    turn: Annotated[
        str,
        _says(
            "Which TURN server participants are sent to: `embedded` is one in this process, `coturn://host:port` one "
            "that knows the same secret, `off` none; `--dev` has it embedded."
        ),
    ] = "off"
    secret: Annotated[
        str,
        _says(
            "Makes the time-limited credentials of TURN, coturn's `static-auth-secret`; empty with `embedded`: a new "
            "one at each start.",
            secret=True,
        ),
    ] = ""
    realm: Annotated[str, _says("Realm of the credentials.")] = "wirehop"
    port: Annotated[
        int, _count("UDP port of STUN and TURN; 0 is the number of the server's own TCP port.", high=65_535)
    ] = 0
    tcp: Annotated[
        bool, _says("TURN over TCP, and over TLS where there is a certificate, on the server's own port.")
    ] = True
    address: Annotated[
        str,
        _says(
            "Address, or one of IPv4 and one of IPv6 with a comma, under which peers reach the relay; empty: the one "
            "that the server listens on, or the machine's own."
        ),
    ] = ""
    relay_ports: Annotated[str, _says("UDP ports that relayed addresses are taken from.")] = "49152-65535"
    credential_age: Annotated[float, _seconds("How long new credentials can be used.", low=1, high=86_400)] = 3600.0
    lifetime: Annotated[
        float, _seconds("How long an allocation may live between two refreshes.", low=600, high=86_400)
    ] = 3600.0
    allow_peers: Annotated[
        tuple[str, ...],
        _says("Networks (CIDR) that may be relayed to although they are private, loopback, or denied."),
    ] = ()
    deny_peers: Annotated[
        tuple[str, ...],
        _says("Networks (CIDR) that may not be relayed to, beside the private, loopback and own ones that never may."),
    ] = ()
    allocations: Annotated[int, _count("Allocations at a time.", low=1)] = 2000
    allocations_per_user: Annotated[int, _count("Allocations of one user at a time.", low=1)] = 50
    bandwidth: Annotated[
        int, _bytes("What one allocation may relay in a second, both ways together; 0: no limit.", low=0)
    ] = 4_194_304
    unauthenticated_rate: Annotated[
        int, _count("Answers to one address in a second that need no credentials.", low=1)
    ] = 200
    ice_policy: Annotated[
        Literal["all", "relay"], _says("`relay` lets participants use nothing but TURN, which hides their addresses.")
    ] = "all"


class Limits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one client, one session and one node may use."""

    message_bytes: Annotated[int, _bytes("One message from a client at most.", low=256)] = 65_536
    outbox_bytes: Annotated[
        int,
        _bytes("Replies and pushes waiting for a slow wire; above it the session is closed as slow."),
    ] = 65_536
    held_bytes: Annotated[
        int,
        _bytes("Publications held back per session while a channel catches up from its history."),
    ] = 65_536
    pending_commands: Annotated[int, _count("Commands of one session that wait for their answer.", low=1)] = 256
    channels_per_session: Annotated[int, _count("Channels one session may subscribe to.", low=1)] = 128
    channel_length: Annotated[int, _bytes("Name of a channel at most, in UTF-8.", low=1)] = 255
    recovery_publications: Annotated[
        int,
        _count("Publications one recovery may bring; a client further behind is told `recovered: false`.", low=1),
    ] = 300
    recovery_bytes: Annotated[int, _bytes("Payload one recovery may bring.")] = 1_048_576
    connect_timeout: Annotated[float, _seconds("How long a new wire may take to send `connect`.")] = 10.0
    expiry_grace: Annotated[
        float,
        _seconds("How long an expired session or subscription is still kept, for a refresh on its way.", low=0),
    ] = 10.0
    handler_timeout: Annotated[float, _seconds("How long a handler of the application may take.")] = 10.0
    batch_bytes: Annotated[int, _bytes("Answer to one poll at most, unless a single push is larger.")] = 65_536
    poll_wait: Annotated[float, _seconds("How long a poll is held until there is something to send.", high=55)] = 55.0
    sessions: Annotated[int, _count("Sessions on this node at most; 0: no limit.")] = 0
    channels: Annotated[int, _count("Channels whose history the memory broker keeps.", low=1)] = 100_000


Who = Literal["anyone", "signed-in", "token", "ask", "nobody"]
"""To whom an action is open: to all, to users with a name, to whom a token grants it, to whom the application says yes
when asked over HTTP, or to none, whatever their token says."""


class Namespace(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the channels of one namespace behave: the part of a channel's name before `:`."""

    delivery: Annotated[
        Literal["log", "latest", "signal"],
        _says(
            "What a dropped wire means: `log` recovers everything in order, `latest` only the newest value "
            "(of each key), `signal` nothing."
        ),
    ] = "log"
    history_size: Annotated[int, _count("Publications kept per channel.")] = 100
    history_age: Annotated[float, _seconds("How long a publication is kept.", low=0)] = 300.0
    key_limit: Annotated[int, _count("Keys kept per channel where delivery is `latest`.", low=1)] = 1000
    presence: Annotated[bool, _says("Keep who is in a channel.")] = False
    join_leave: Annotated[bool, _says("Tell subscribers who enters and leaves.")] = False
    rtc: Annotated[
        bool,
        _says("Let subscribers call each other (WebRTC): they may send signals to one another. It needs `presence`."),
    ] = False
    subscribe: Annotated[Who, _says("Who may subscribe, and read history and presence.")] = "nobody"
    publish: Annotated[Who, _says("Who may publish.")] = "nobody"
    publication_bytes: Annotated[int, _bytes("Payload of one publication at most.")] = 65_536
    coalesce: Annotated[
        float,
        _seconds(
            "Wait this long for more publications to send in one write; 0 is one turn of the loop.",
            low=0,
            high=0.005,
        ),
    ] = 0.0


class BrokerChoice(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What carries publications between nodes and keeps history."""

    url: Annotated[str, _says("Where the broker is; `memory://` is this process alone.", secret=True)] = "memory://"


class Idempotency(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How publishing again is recognised."""

    keep: Annotated[float, _seconds("How long the key of a publication is remembered.")] = 300.0


class Demos(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the demo pages of `--dev` make use of."""

    ai_url: Annotated[
        str,
        _says(
            "Where AI answers come from: the base URL of an API in the shape of OpenAI's (`https://…/v1`); empty: a "
            "toy in this process."
        ),
    ] = ""
    ai_key: Annotated[str, _says("Key of that API.", secret=True)] = ""
    ai_model: Annotated[str, _says("Model that it is asked for.")] = ""
    ai_silence: Annotated[float, _seconds("An answer has failed if nothing comes for so long.")] = 60.0


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that can be set.

    Built by hand it is complete, with closed defaults; `check` says whether values are in range and agree.
    """

    dev: Annotated[bool, _says("Development: opens channels and pages to everyone on this machine; loopback only.")] = (
        False
    )
    server: Server = Server()
    origins: Origins = Origins()
    auth: Auth = Auth()
    api: Api = Api()
    admin: Admin = Admin()
    transports: Transports = Transports()
    heartbeat: Heartbeat = Heartbeat()
    sessions: Sessions = Sessions()
    limits: Limits = Limits()
    namespaces: Mapping[str, Namespace] = field(default_factory=lambda: {DEFAULT_NAMESPACE: Namespace()})
    broker: BrokerChoice = BrokerChoice()
    idempotency: Idempotency = Idempotency()
    rtc: Rtc = Rtc()
    demos: Demos = Demos()
