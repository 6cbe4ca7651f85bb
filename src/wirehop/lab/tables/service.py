"""What the lab's page asks the server for tables: rpc `lab.tables` {} → the tables; {format} → {name, type, text}."""

import asyncio
from functools import cached_property
from pathlib import Path

from msgspec import Struct

from wirehop.core import codes
from wirehop.core.errors import Refused
from wirehop.lab.tables.document import Tables, make_tables
from wirehop.lab.tables.export import FORMATS
from wirehop.measured import load_profile
from wirehop.measured.profile import OWN
from wirehop.node import Client, Node


class TablesRequest(Struct):
    """`format` is one of `FORMATS`; without it the tables themselves come."""

    format: str = ""


class Exported(Struct):
    """A file to keep."""

    name: str
    type: str
    text: str


class TableService:
    """Tables of one profile, made when somebody asks for the first time."""

    def __init__(self, profile: Path = OWN) -> None:
        self._profile = profile

    @cached_property
    def tables(self) -> Tables:
        """All of them."""
        return make_tables(load_profile(self._profile))

    async def answer(self, _client: Client, request: TablesRequest) -> Tables | Exported:
        """The tables, or a file of them. Made beside the loop: it takes longer than a turn of it may."""
        wanted = FORMATS.get(request.format)
        if request.format and wanted is None:
            raise Refused(codes.BAD_REQUEST, f"formats are {', '.join(FORMATS)}")
        tables = await asyncio.to_thread(lambda: self.tables)
        if wanted is None:
            return tables
        return Exported(wanted.name, wanted.type, wanted.write(tables))


def install_tables(node: Node, profile: Path = OWN) -> TableService:
    """Register the method."""
    service = TableService(profile)
    node.rpc("lab.tables")(service.answer)
    return service
