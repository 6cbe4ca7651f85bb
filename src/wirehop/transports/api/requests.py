"""What may be asked of the server API: one struct for each method, and which of Centrifugo's methods are not here.

Field names are Centrifugo's. An unknown field is refused and not ignored, and so is one that asks for something that
this server does not have: the structs know such fields by name, the methods refuse them. Knows no HTTP.
"""

from typing import Final

from msgspec import Raw, Struct

from wirehop.core.messages import Position


class Since(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A position as Centrifugo writes it: both fields may be missing."""

    offset: int = 0
    epoch: str = ""

    @property
    def position(self) -> Position:
        """As the rest of the server has it."""
        return Position(self.epoch, self.offset)


class Published(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is published, and how. `key` is this server's addition, for `latest` channels."""

    data: Raw = Raw()
    b64data: str | None = None
    tags: dict[str, str] | None = None
    idempotency_key: str | None = None
    key: str | None = None
    skip_history: bool | None = None
    delta: bool | None = None
    version: int | None = None
    version_epoch: str | None = None


class Publish(Published, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Publish to one channel."""

    channel: str = ""


class Broadcast(Published, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Publish the same to several channels."""

    channels: list[str] = []


class Switch(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A yes or no of which "not said" is a third value."""

    value: bool = False


class Override(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of a channel for one subscription."""

    presence: Switch | None = None
    join_leave: Switch | None = None
    force_push_join_leave: Switch | None = None
    force_positioning: Switch | None = None
    force_recovery: Switch | None = None


class Subscribe(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Subscribe sessions to a channel."""

    user: str = ""
    client: str | None = None
    session: str | None = None
    channel: str = ""
    info: Raw = Raw()
    b64info: str | None = None
    data: Raw = Raw()
    b64data: str | None = None
    recover_since: Since | None = None
    override: Override | None = None


class Unsubscribe(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """End the subscriptions of sessions to a channel."""

    user: str = ""
    client: str | None = None
    session: str | None = None
    channel: str = ""


class DisconnectCode(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the client is told. `reconnect` is what older clients of the API send; the code says it."""

    code: int = 0
    reason: str = ""
    reconnect: bool | None = None


class Disconnect(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """End sessions."""

    user: str = ""
    client: str | None = None
    session: str | None = None
    whitelist: list[str] | None = None
    disconnect: DisconnectCode | None = None


class Refresh(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Say when sessions expire: at a Unix time in seconds, now, or (with neither) never."""

    user: str = ""
    client: str | None = None
    session: str | None = None
    expired: bool | None = None
    expire_at: int | None = None


class OfChannel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A question about one channel."""

    channel: str = ""


class History(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A page of history. `limit` 0 is the position only, below 0 as much as the server gives."""

    channel: str = ""
    limit: int | None = None
    since: Since | None = None
    reverse: bool | None = None


class Channels(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Channels with subscribers, by a glob pattern."""

    pattern: str | None = None


class Nothing(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A question without arguments."""


class Batch(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Several commands, each an object with one key: the method."""

    commands: list[dict[str, Raw]] = []
    parallel: bool | None = None


ELSEWHERE: Final = frozenset(
    {
        *("history_remove", "rpc", "connections"),
        *("update_user_status", "get_user_status", "delete_user_status", "block_user", "unblock_user"),
        *("revoke_token", "invalidate_user_tokens"),
        *("device_register", "device_update", "device_remove", "device_list"),
        *("device_topic_list", "device_topic_update", "user_topic_list", "user_topic_update"),
        *("send_push_notification", "update_push_status", "cancel_push"),
    }
)
"""Methods of Centrifugo's API that this server does not have: answered with 108."""
