"""wirehop as `scripts/bench` measures it: one node on the native host, everything on that is on by default.

python bench/server.py --port 8000

Anyone may subscribe and publish in the namespace `bench`; a channel keeps 100 publications. Heartbeats, history,
metrics and limits are the defaults, the loop is uvloop, and nothing is logged but trouble.
"""

import argparse
import logging
import resource

from wirehop import Namespace, Node
from wirehop.serve import run


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()

    logging.basicConfig(level=logging.WARNING)
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    bench = Namespace(subscribe="anyone", publish="anyone", history_size=100)
    run(Node(namespaces={"bench": bench}), port=options.port)


if __name__ == "__main__":
    main()
