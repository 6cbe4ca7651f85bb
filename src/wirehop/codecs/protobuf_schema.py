"""The messages of the session protocol in Protobuf: numbers and types, as `protocol/wirehop.proto` lists them.

The numbers up to 15 are those of the Centrifuge client protocol v2; `wh` is field 1000 wherever it stands, and what
else wirehop adds (`rev`, `key`) is 1001. A test holds these tables, the structs and the schema file equal.
"""

from wirehop.codecs.protobuf_wire import (
    BOOL,
    INT32,
    INT64,
    PLAIN,
    RAW,
    STRING,
    UINT32,
    UINT64,
    Field,
    Message,
    choice,
)
from wirehop.core import messages as m

WH = 1000
EXTRA = 1001
KIND = choice("PayloadKind", {kind.value: kind for kind in m.PayloadKind})

# ---- what both ways share ------------------------------------------------------------------------------------------

POSITION = Message(m.Position, Field("offset", 1, UINT64), Field("epoch", 2, STRING))
CLIENT_INFO = Message(
    m.ClientInfo,
    Field("user", 1, STRING),
    Field("client", 2, STRING),
    Field("conn_info", 3, RAW),
    Field("chan_info", 4, RAW),
)
PUBLICATION = Message(
    m.Publication,
    Field("data", 4, PLAIN),
    Field("info", 5, CLIENT_INFO),
    Field("offset", 6, UINT64),
    Field("tags", 7, STRING, keyed=True),
    Field("time", 9, INT64),
    Field("key", EXTRA, STRING),
)

# ---- commands --------------------------------------------------------------------------------------------------------

STATED = Message(m.Stated, Field("offset", 1, UINT64), Field("epoch", 2, STRING))
SUBSCRIBE_REQUEST = Message(
    m.SubscribeRequest,
    Field("channel", 1, STRING),
    Field("token", 2, STRING),
    Field("recover", 3, BOOL),
    Field("epoch", 6, STRING),
    Field("offset", 7, UINT64),
    Field("data", 8, RAW),
    Field("positioned", 9, BOOL),
    Field("recoverable", 10, BOOL),
    Field("join_leave", 11, BOOL),
    Field("tf", 13, RAW),
    Field("flag", 14, INT64),
)
CONNECT_REQUEST = Message(
    m.ConnectRequest,
    Field("token", 1, STRING),
    Field("data", 2, RAW),
    Field("subs", 3, SUBSCRIBE_REQUEST, keyed=True),
    Field("name", 4, STRING),
    Field("version", 5, STRING),
    Field("headers", 6, STRING, keyed=True),
    Field(
        "wh",
        WH,
        Message(
            m.Wh,
            Field("acked", 1, UINT64, is_repeated=True),
            Field("token", 2, STRING),
            Field("positions", 3, STATED, keyed=True),
        ),
    ),
)
PUBLISH_WH = Message(m.PublishWh, Field("key", 1, STRING), Field("event", 2, STRING), Field("kind", 3, KIND))
PUBLISH_REQUEST = Message(
    m.PublishRequest, Field("channel", 1, STRING), Field("data", 2, RAW), Field("wh", WH, PUBLISH_WH)
)
HISTORY_REQUEST = Message(
    m.HistoryRequest,
    Field("channel", 1, STRING),
    Field("limit", 7, INT32),
    Field("since", 8, POSITION),
    Field("reverse", 9, BOOL),
)
COMMAND = Message(
    m.Command,
    Field("id", 1, UINT32),
    Field("connect", 4, CONNECT_REQUEST),
    Field("subscribe", 5, SUBSCRIBE_REQUEST),
    Field("unsubscribe", 6, Message(m.UnsubscribeRequest, Field("channel", 1, STRING))),
    Field("publish", 7, PUBLISH_REQUEST),
    Field("presence", 8, Message(m.PresenceRequest, Field("channel", 1, STRING))),
    Field("presence_stats", 9, Message(m.PresenceStatsRequest, Field("channel", 1, STRING))),
    Field("history", 10, HISTORY_REQUEST),
    Field("ping", 11, Message(m.PingRequest)),
    Field("send", 12, Message(m.SendRequest, Field("data", 1, RAW))),
    Field("rpc", 13, Message(m.RpcRequest, Field("data", 1, RAW), Field("method", 2, STRING))),
    Field("refresh", 14, Message(m.RefreshRequest, Field("token", 1, STRING))),
    Field("sub_refresh", 15, Message(m.SubRefreshRequest, Field("channel", 1, STRING), Field("token", 2, STRING))),
    Field(
        "wh",
        WH,
        Message(
            m.CommandWh,
            Field("attach", 1, UINT32),
            Field("acked", 2, UINT64, is_repeated=True),
            Field("bye", 3, BOOL),
        ),
    ),
)

# ---- replies ---------------------------------------------------------------------------------------------------------

SUBSCRIBE_RESULT = Message(
    m.SubscribeResult,
    Field("expires", 1, BOOL),
    Field("ttl", 2, UINT32),
    Field("recoverable", 3, BOOL),
    Field("epoch", 6, STRING),
    Field("publications", 7, PUBLICATION, is_repeated=True),
    Field("recovered", 8, BOOL),
    Field("offset", 9, UINT64),
    Field("positioned", 10, BOOL),
    Field("data", 11, RAW),
    Field("was_recovering", 12, BOOL),
)
CONNECT_WH = Message(
    m.ConnectWh,
    Field("next", 1, UINT32),
    Field("limit", 2, UINT32),
    Field("attach", 3, UINT32),
    Field("token", 4, STRING),
    Field("window", 5, UINT32),
    Field("resumed", 6, BOOL),
    Field("subs", 7, SUBSCRIBE_RESULT, keyed=True),
    Field("ended", 8, UINT32, keyed=True),
    Field("keep", 9, UINT32),
    Field("wires", 10, STRING, keyed=True),
)
CONNECT_RESULT = Message(
    m.ConnectResult,
    Field("client", 1, STRING),
    Field("version", 2, STRING),
    Field("expires", 3, BOOL),
    Field("ttl", 4, UINT32),
    Field("data", 5, RAW),
    Field("subs", 6, SUBSCRIBE_RESULT, keyed=True),
    Field("ping", 7, UINT32),
    Field("pong", 8, BOOL),
    Field("session", 9, STRING),
    Field("node", 10, STRING),
    Field("wh", WH, CONNECT_WH),
)
PUBLISH_RESULT = Message(
    m.PublishResult,
    Field("wh", WH, Message(m.PublishWhResult, Field("offset", 1, UINT64), Field("epoch", 2, STRING))),
)
PRESENCE_RESULT = Message(m.PresenceResult, Field("presence", 1, CLIENT_INFO, keyed=True), Field("rev", EXTRA, UINT64))
HISTORY_RESULT = Message(
    m.HistoryResult,
    Field("publications", 1, PUBLICATION, is_repeated=True),
    Field("epoch", 2, STRING),
    Field("offset", 3, UINT64),
)
REFRESH_RESULT = Message(
    m.RefreshResult,
    Field("client", 1, STRING),
    Field("version", 2, STRING),
    Field("expires", 3, BOOL),
    Field("ttl", 4, UINT32),
)
SUBSCRIBE_PUSH = Message(
    m.Subscribe,
    Field("recoverable", 1, BOOL),
    Field("epoch", 4, STRING),
    Field("offset", 5, UINT64),
    Field("positioned", 6, BOOL),
    Field("data", 7, RAW),
)
MOVE = Message(
    m.Move, Field("to", 1, STRING, is_repeated=True), Field("spread_ms", 2, UINT32), Field("reason", 3, STRING)
)
PUSH_WH = Message(m.PushWh, Field("move", 1, MOVE), Field("call", 2, UINT32), Field("method", 3, STRING))
PUSH = Message(
    m.Push,
    Field("channel", 2, STRING),
    Field("pub", 4, PUBLICATION),
    Field("join", 5, Message(m.Join, Field("info", 1, CLIENT_INFO), Field("rev", EXTRA, UINT64))),
    Field("leave", 6, Message(m.Leave, Field("info", 1, CLIENT_INFO), Field("rev", EXTRA, UINT64))),
    Field("unsubscribe", 7, Message(m.Unsubscribe, Field("code", 2, UINT32), Field("reason", 3, STRING))),
    Field("message", 8, Message(m.Message, Field("data", 1, RAW))),
    Field("subscribe", 9, SUBSCRIBE_PUSH),
    Field(
        "disconnect",
        11,
        Message(m.Disconnect, Field("code", 1, UINT32), Field("reason", 2, STRING), Field("reconnect", 3, BOOL)),
    ),
    Field("refresh", 12, Message(m.Refresh, Field("expires", 1, BOOL), Field("ttl", 2, UINT32))),
    Field("wh", WH, PUSH_WH),
)
REPLY = Message(
    m.Reply,
    Field("id", 1, UINT32),
    Field(
        "error",
        2,
        Message(m.Error, Field("code", 1, UINT32), Field("message", 2, STRING), Field("temporary", 3, BOOL)),
    ),
    Field("push", 4, PUSH),
    Field("connect", 5, CONNECT_RESULT),
    Field("subscribe", 6, SUBSCRIBE_RESULT),
    Field("unsubscribe", 7, Message(m.UnsubscribeResult)),
    Field("publish", 8, PUBLISH_RESULT),
    Field("presence", 9, PRESENCE_RESULT),
    Field(
        "presence_stats",
        10,
        Message(m.PresenceStatsResult, Field("num_clients", 1, UINT32), Field("num_users", 2, UINT32)),
    ),
    Field("history", 11, HISTORY_RESULT),
    Field("ping", 12, Message(m.PingResult)),
    Field("rpc", 13, Message(m.RpcResult, Field("data", 1, RAW))),
    Field("refresh", 14, REFRESH_RESULT),
    Field("sub_refresh", 15, Message(m.SubRefreshResult, Field("expires", 1, BOOL), Field("ttl", 2, UINT32))),
    Field("wh", WH, Message(m.ReplyWh, Field("next", 1, UINT32))),
)
