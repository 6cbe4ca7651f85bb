"""Namespaces: the options of a channel by its name, and what its namespace lets a user do."""

from collections.abc import Mapping

from wirehop.abc import Action
from wirehop.settings.tree import DEFAULT_NAMESPACE, Namespace


class Policy:
    """The namespaces of a node. A name without a configured namespace takes the default namespace's options."""

    def __init__(self, namespaces: Mapping[str, Namespace]) -> None:
        self._namespaces = dict(namespaces)
        self._default = self._namespaces.get(DEFAULT_NAMESPACE, Namespace())

    def options(self, channel: str) -> Namespace:
        """The options of the channel: those of the part of its name before the first `:`."""
        name, colon, _ = channel.partition(":")
        return self._namespaces.get(name, self._default) if colon else self._default

    def permits(self, action: Action, channel: str, user: str) -> bool:
        """Whether the namespace lets `user` ("" is anonymous) do that. History and presence go with the right to
        subscribe."""
        options = self.options(channel)
        who = options.publish if action == "publish" else options.subscribe
        return who == "anyone" or (who == "signed-in" and user != "")
