"""AI answers, streamed: a channel for each conversation."""

from wirehop.node import Node
from wirehop.pages.demos.ai.bot import ask_now_and_then
from wirehop.pages.demos.ai.desk import Desk
from wirehop.pages.demos.ai.endpoint import Endpoint
from wirehop.pages.demos.ai.generator import Generator
from wirehop.pages.demos.ai.toy import Toy
from wirehop.pages.demos.demo import Demo
from wirehop.settings.tree import Namespace


def generator_of(node: Node) -> Generator:
    """What the settings name, else the toy."""
    demos = node.settings.demos
    if not demos.ai_url:
        return Toy()
    return Endpoint(demos.ai_url, key=demos.ai_key, model=demos.ai_model, silence=demos.ai_silence)


def install(node: Node) -> None:
    """Register the methods."""
    desk = Desk(node, generator_of(node))
    node.rpc("ai.about")(desk.about)
    node.rpc("ai.open")(desk.open)
    node.rpc("ai.ask")(desk.ask)
    node.rpc("ai.again")(desk.again)
    node.rpc("ai.stop")(desk.stop)


AI = Demo(
    "ai",
    {
        "ai": Namespace(
            history_size=2_000,
            history_age=900,
            presence=True,
            join_leave=True,
            subscribe="anyone",
            publish="nobody",
            publication_bytes=262_144,  # a whole answer, where a generator is that quick
        ),
        "ai-desk": Namespace(delivery="latest", history_age=86_400, subscribe="anyone", publish="nobody"),
    },
    install,
    (
        "demos/ai/desk.py",
        "demos/ai/shelf.py",
        "demos/ai/conversation.py",
        "demos/ai/answer.py",
        "demos/ai/turns.py",
        "demos/ai/endpoint.py",
        "static/ai/ai.js",
        "static/ai/conversation.js",
        "static/ai/markdown.js",
    ),
    bot=ask_now_and_then,
)
