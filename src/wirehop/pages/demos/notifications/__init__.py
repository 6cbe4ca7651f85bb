"""Notifications: one inbox on all devices, in all tabs; grouped, quiet where that is wanted, and told once."""

from wirehop.node import Node
from wirehop.pages.demos.demo import Demo
from wirehop.pages.demos.notifications.bot import work
from wirehop.pages.demos.notifications.desk import Desk
from wirehop.settings.tree import Namespace


def install(node: Node) -> None:
    """Let the node have inboxes."""
    Desk(node)


NOTIFICATIONS = Demo(
    "notifications",
    {
        "notices": Namespace(
            history_size=300, history_age=3600, presence=True, subscribe="signed-in", publish="nobody"
        ),
        "repository": Namespace(delivery="latest", history_age=86_400 * 30, subscribe="anyone", publish="nobody"),
    },
    install,
    (
        "demos/notifications/desk.py",
        "demos/notifications/inbox.py",
        "demos/notifications/notice.py",
        "static/notifications/notifications.js",
        "static/notifications/inbox.js",
        "static/notifications/chime.js",
    ),
    bot=work,
)
