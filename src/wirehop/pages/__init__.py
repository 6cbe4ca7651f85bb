"""The pages of `wirehop serve --dev`, and what publishes the monitor's figures.

The pages are plain files in `STATIC`; they use only the public protocol. `STATIC` is meant to be the root of a
site: the pages name each other by relative paths, so a directory's address ends with a slash, and the server's
endpoints by absolute ones (`/connection/…`, `/emulation`, `/channels/…`).
"""

from importlib.resources import files
from importlib.resources.abc import Traversable

STATIC: Traversable = files(__name__) / "static"
