"""What is found on this machine."""

import resource
import socket
import sys
from types import ModuleType

import pytest
from msgspec import structs

from wirehop.doctor import machine
from wirehop.doctor.findings import Finding, worst
from wirehop.doctor.machine import OTHER_DESCRIPTORS, examine_machine
from wirehop.settings.tree import Server, Settings


def test_every_name_is_there_once_and_said_as_it_is_found() -> None:
    told: list[Finding] = []
    findings = examine_machine(Settings(server=Server(port=0)), connections=100, found=told.append)
    assert told == findings
    names = [finding.name for finding in findings]
    assert len(set(names)) == len(names)
    assert {"python", "port", "tls", "descriptors", "uvloop", "io_uring"} <= set(names)
    assert all(finding.seen and (finding.change or finding.verdict == "ok") for finding in findings)


def test_a_port_that_is_held_and_by_whom() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        number = listener.getsockname()[1]
        found = machine.port("127.0.0.1", number)
        assert found.verdict == "bad"
        assert "is held by" in found.seen
        assert "(process " in found.seen
    assert machine.port("127.0.0.1", number).verdict == "ok"


def test_an_address_that_is_not_of_this_machine() -> None:
    found = machine.port("198.51.100.7", 8000)
    assert found.verdict == "bad"
    assert "0.0.0.0" in found.change


@pytest.mark.parametrize(
    ("limits", "verdict"),
    [((20_000, 20_000), "ok"), ((1024, 1_000_000), "warn"), ((1024, 4096), "bad"), ((-1, -1), "ok")],
)
def test_descriptors(monkeypatch: pytest.MonkeyPatch, limits: tuple[int, int], verdict: str) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
    found = machine.descriptors(10_000)
    assert found.verdict == verdict
    assert (f"{10_000 + OTHER_DESCRIPTORS}" in found.change) == (verdict != "ok")


def test_uvloop(monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.uvloop("auto").verdict == "ok"
    assert machine.uvloop("asyncio").verdict == "warn"
    monkeypatch.setattr(machine, "find_spec", lambda _: None)
    assert machine.uvloop("auto").verdict == "warn"
    assert machine.uvloop("uvloop").verdict == "bad"
    assert machine.uvloop("auto").change == "pip install uvloop"


class Ring:
    """What `probe` gives where io_uring works."""

    def close(self) -> None:
        """Nothing to let go of."""


@pytest.mark.parametrize(("reason", "verdict"), [("", "ok"), ("the kernel is 5.10", "warn")])
def test_io_uring_says_why_not(monkeypatch: pytest.MonkeyPatch, reason: str, verdict: str) -> None:
    module = ModuleType("wirehop.hosts.native.uring")
    monkeypatch.setattr(module, "probe", lambda: reason or Ring(), raising=False)
    monkeypatch.setitem(sys.modules, "wirehop.hosts.native.uring", module)
    found = machine.io_uring()
    assert found.verdict == verdict
    assert reason in found.seen


def test_limits_of_the_kernel() -> None:
    assert machine.backlog(2048, lambda _: "128\n").verdict == "warn"
    assert machine.backlog(2048, lambda _: "4096\n").verdict == "ok"
    assert machine.backlog(2048, lambda _: "").verdict == "ok"
    assert machine.source_ports(10_000, lambda _: "32768\t60999\n").verdict == "ok"
    assert machine.source_ports(50_000, lambda _: "32768\t60999\n").verdict == "warn"
    assert [each.verdict for each in machine.conntrack(10_000, lambda _: "8192\n")] == ["warn"]
    assert [each.verdict for each in machine.conntrack(10_000, lambda _: "65536\n")] == ["ok"]
    assert list(machine.conntrack(10_000, lambda _: "")) == []


def test_the_worst() -> None:
    ok = Finding("a", "ok", "")
    assert worst([]) == "ok"
    assert worst([ok, structs.replace(ok, verdict="bad"), structs.replace(ok, verdict="warn")]) == "bad"
