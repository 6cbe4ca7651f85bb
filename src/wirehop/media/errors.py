"""What can go wrong in a call, by name, with the code of the table (docs/codes.md) that comes nearest."""

from wirehop.core import codes
from wirehop.core.errors import WirehopError


class MediaError(WirehopError):
    """`code` is a number of the table, `reason` what happened."""

    code = codes.INTERNAL.number

    def __init__(self, reason: str, code: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code or self.code


class MediaMissing(MediaError):
    """The libraries of the extra are not installed."""

    code = codes.NOT_AVAILABLE.number


class SourceFailed(MediaError):
    """What is to be published cannot be opened: no such file or device, or nothing in it that can be decoded."""

    code = codes.NOT_AVAILABLE.number


class NotInRoom(MediaError):
    """The room was not joined, or it was left."""

    code = codes.PERMISSION_DENIED.number


class ChannelClosed(MediaError):
    """The data channel is closed for good."""

    code = codes.BAD_REQUEST.number


class ChannelFull(MediaError):
    """A message is too large, or too much waits already."""

    code = codes.LIMIT_EXCEEDED.number


class Signaling(MediaError):
    """The server refused to bring a signal to another participant, or gave no ICE servers."""


class NegotiationFailed(MediaError):
    """A description could not be made or taken."""


def check_installed() -> None:
    """Raises `MediaMissing` where the extra is not there."""
    try:
        import aiortc  # noqa: F401
        import av  # noqa: F401
    except ImportError as error:
        raise MediaMissing(f"calls need the extra: pip install 'wirehop[media]' ({error})") from None
