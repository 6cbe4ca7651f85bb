"""Refusing a request: a status, a name that is counted, and one sentence for whoever reads the answer.

The parsers raise `Refusal`; the connection answers it and closes. Nothing else of the host is known here.
"""


class Refusal(Exception):
    """A request that is not served: HTTP `status`, the `name` it is counted by, and the body's `reason`."""

    def __init__(self, status: int, name: str, reason: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(reason)
        self.status = status
        self.name = name
        self.reason = reason
        self.headers = headers


def bad_request(name: str, reason: str) -> Refusal:
    """A 400."""
    return Refusal(400, name, reason)
