"""From a command to what it asks for, and from an answer to the reply that carries it: the envelope's bookkeeping."""

from msgspec import UNSET

from wirehop.core.codes import Retry
from wirehop.core.effects import (
    Answer,
    Failure,
    Invoke,
    Invoked,
    Publish,
    ReadHistory,
    ReadPresence,
    ReadPresenceStats,
    Refresh,
    Request,
    SubRefresh,
)
from wirehop.core.messages import (
    Command,
    Error,
    HistoryResult,
    PingResult,
    Position,
    PresenceResult,
    PresenceStatsResult,
    PublishResult,
    PublishWhResult,
    Reply,
    ReplyWh,
    RpcResult,
    UnsubscribeResult,
)
from wirehop.core.recovery import HistoryPage

_KINDS = (
    "publish",
    "rpc",
    "send",
    "ping",
    "subscribe",
    "unsubscribe",
    "history",
    "presence",
    "presence_stats",
    "connect",
    "refresh",
    "sub_refresh",
)


def kind_of(command: Command) -> str:
    """The name of the one field that is set; empty for none."""
    if command.publish is not None:
        return "publish"
    if command.rpc is not None:
        return "rpc"
    for kind in _KINDS:
        if getattr(command, kind) is not None:
            return kind
    return ""


def is_pong(command: Command) -> bool:
    """Whether it is `{}`, the answer to a ping."""
    return command.id == 0 and not kind_of(command)


def channel_of(command: Command) -> str | None:
    """The channel that the command names; None if its kind names none."""
    if command.publish is not None:
        return command.publish.channel
    if command.rpc is not None:
        return None
    for request in (
        command.publish,
        command.subscribe,
        command.unsubscribe,
        command.history,
        command.presence,
        command.presence_stats,
    ):
        if request is not None:
            return request.channel
    return None


def request_of(command: Command) -> Request | None:
    """What the world is asked for; None where nobody here can answer."""
    if command.publish is not None:
        return Publish(command.publish)
    if command.rpc is not None:
        return Invoke(command.rpc.method, command.rpc.data)
    if command.history is not None:
        return ReadHistory(command.history)
    if command.presence is not None:
        return ReadPresence(command.presence.channel)
    if command.presence_stats is not None:
        return ReadPresenceStats(command.presence_stats.channel)
    if command.refresh is not None:
        return Refresh(command.refresh.token)
    if command.sub_refresh is not None:
        return SubRefresh(command.sub_refresh.channel, command.sub_refresh.token)
    return None


def seconds_left(ttl: float) -> int:
    """A time to live as clients are told it: whole seconds, at least one; 0 where nothing expires."""
    return max(1, int(ttl)) if ttl > 0 else 0


def refusal(command_id: int, failure: Failure) -> Reply:
    """The error reply for a failure with an error code."""
    code = failure.code
    error = Error(code.number, failure.message or code.text, temporary=code.retry is Retry.TEMPORARY)
    return Reply(id=command_id, error=error)


def result_reply(command_id: int, answer: Answer | int | str | None, *, has_wh: bool = False) -> Reply:
    """The reply that carries an answer. An int or None is the answer to a ping, a str that to an unsubscribe."""
    match answer:
        case Position(epoch, offset):
            return Reply(id=command_id, publish=PublishResult(PublishWhResult(offset, epoch) if has_wh else None))
        case Invoked(data):
            return Reply(id=command_id, rpc=RpcResult(data if len(bytes(data)) else UNSET))
        case HistoryPage(publications, top):
            return Reply(id=command_id, history=HistoryResult(publications, top.epoch, top.offset))
        case PresenceResult():
            return Reply(id=command_id, presence=answer)
        case PresenceStatsResult():
            return Reply(id=command_id, presence_stats=answer)
        case str():
            return Reply(id=command_id, unsubscribe=UnsubscribeResult())
        case None:
            return Reply(id=command_id, ping=PingResult())
        case int():
            return Reply(id=command_id, ping=PingResult(), wh=ReplyWh(answer))
        case _:
            raise TypeError(f"not the answer to a command: {answer!r}")
