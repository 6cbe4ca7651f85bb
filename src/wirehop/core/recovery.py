"""When a position can be continued from: the one rule, and the page of publications that answers it.

`recovered: true` exactly when the epochs are equal and not empty, the offset is not above the top, and every following
offset up to the top is present. Never partial, never silent.
"""

from msgspec import Struct

from wirehop.core.messages import Position, Publication


class HistoryPage(Struct, frozen=True):
    """Publications in offset order and the `top` of the log when they were read.

    `is_complete`: everything after the position asked for is here or, where a limit cut the page, follows the last one
    given without a gap. False when the epoch is another one, the position is above the top, or the log no longer
    reaches back; then a `log` channel gives no publications, and a `latest` channel gives all its values.
    `has_more`: a limit cut the page.
    """

    publications: tuple[Publication, ...]
    top: Position
    is_complete: bool = True
    has_more: bool = False


def reaches(since: Position, *, top: Position, oldest: int) -> bool:
    """Whether a log whose kept publications run from `oldest` to `top.offset` can continue from `since`.

    An empty log has `oldest == top.offset + 1`.
    """
    if not since.epoch or since.epoch != top.epoch:
        return False
    return oldest - 1 <= since.offset <= top.offset


def cut(publications: list[Publication], *, limit: int, max_bytes: int) -> tuple[tuple[Publication, ...], bool]:
    """The longest prefix within both limits (at least one publication if `limit` allows any), and whether more
    follow."""
    size = 0
    for count, publication in enumerate(publications):
        size += len(publication.data)
        if count == limit or (size > max_bytes and count > 0):
            return tuple(publications[:count]), True
    return tuple(publications), False
