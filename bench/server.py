"""wirehop as `scripts/bench` measures it: one node on the native host, everything on that is on by default.

python bench/server.py --port 8000 [--sender batch|write]

Anyone may subscribe and publish in the namespace `bench`; a channel keeps 100 publications. Heartbeats, history,
metrics and limits are the defaults, the loop is uvloop, and nothing is logged but trouble. The rpc method `echo`
answers what it is given.
"""

import argparse
import logging
import resource
import sys
from collections.abc import Mapping
from typing import Literal

from msgspec import Raw
from msgspec.structs import replace

from wirehop import Client, Namespace, Node
from wirehop.core.errors import SettingsError
from wirehop.running import batch_sender, run


async def echo(_client: Client, data: Raw) -> Raw:
    """What an rpc costs with nothing to do."""
    return data


SENDERS: Mapping[str, Literal["auto", "on", "off"]] = {"auto": "auto", "batch": "on", "write": "off"}


def choose_sender(node: Node, sender: str) -> None:
    """Set how publications are written: `auto` is the default."""
    node.use(replace(node.settings, server=replace(node.settings.server, batch_sender=SENDERS[sender])))


def check(node: Node) -> None:
    """End with a sentence where the sender does not work here."""
    try:
        found = batch_sender(node.settings.server, node.metrics)
    except SettingsError as error:
        sys.exit(str(error))
    if found is not None:
        found.close()


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--sender", choices=("auto", "batch", "write"), default="auto")
    parser.add_argument("--check", action="store_true", help="only say whether it could start")
    options = parser.parse_args()

    logging.basicConfig(level=logging.WARNING)
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    bench = Namespace(subscribe="anyone", publish="anyone", history_size=100)
    node = Node(namespaces={"bench": bench})
    node.rpc("echo")(echo)
    choose_sender(node, options.sender)
    if options.check:
        check(node)
    else:
        run(node, port=options.port)


if __name__ == "__main__":
    main()
