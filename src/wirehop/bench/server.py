"""The server that `wirehop bench` measures: a process with one node, everything on that is on by default.

It prints its port and its loop as a line of JSON, answers each line of its input with what it has used so far, and
ends where the input ends.
"""

import asyncio
import logging
import os
import sys
import threading
import time

import msgspec
from msgspec import Raw, Struct

from wirehop.bench.processes import run_child
from wirehop.bench.words import ECHO_METHOD, Started, Used
from wirehop.hosts.native import NativeServer
from wirehop.node import Client, Node
from wirehop.running import serve
from wirehop.settings.tree import Namespace, Server, Settings


async def echo(_client: Client, data: Raw) -> Raw:
    """What a call costs that does nothing."""
    return data


def make_node() -> Node:
    """Anyone may subscribe and publish in the namespace `bench`; 100 publications are kept."""
    settings = Settings(
        server=Server(host="127.0.0.1", port=0),
        namespaces={"bench": Namespace(subscribe="anyone", publish="anyone", history_size=100)},
    )
    node = Node(settings=settings)
    node.rpc(ECHO_METHOD)(echo)
    return node


def _say(value: Struct) -> None:
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()


def _answer_questions() -> None:
    for _ in sys.stdin:
        _say(Used(time.process_time()))
    os._exit(0)  # nobody is left to be served; what has to be tidied up is the operating system's


async def serve_for_bench() -> None:
    """Serve until the input ends."""
    loop = type(asyncio.get_running_loop()).__module__.partition(".")[0]

    node = make_node()

    def started(server: NativeServer) -> None:
        sender = "transport.write" if node.hub.sender is None else "io_uring"
        _say(Started(server.port, loop, sender))
        threading.Thread(target=_answer_questions, daemon=True).start()

    await serve(node, started=started)


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)
    run_child(serve_for_bench())
