"""What `wirehop serve` says when it serves."""

from msgspec import structs

from wirehop.cli.serve import WIRES, offers
from wirehop.settings.dev import dev
from wirehop.settings.tree import Admin, Settings, Transports

URL = "http://127.0.0.1:8000"


def test_in_development_every_wire_and_every_page_is_named() -> None:
    assert offers(URL, dev()) == [
        "wires: websocket, sse, stream, poll, jsonp, channels",
        f"demos: {URL}/",
        f"lab: {URL}/lab/",
        f"admin: {URL}/admin/",
    ]


def test_what_is_switched_off_is_not_named() -> None:
    settings = Settings(transports=Transports(stream=False, sse=False))
    assert offers(URL, settings) == ["wires: websocket, poll, channels"]
    settings = structs.replace(settings, admin=Admin(password="a password"))
    assert offers(URL, settings)[1:] == [f"admin: {URL}/admin/"]


def test_the_wires_are_those_of_the_settings() -> None:
    assert {*WIRES, "doctor"} == set(Transports.__struct_fields__)
