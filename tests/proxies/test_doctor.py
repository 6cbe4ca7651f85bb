"""`wirehop doctor URL` through good proxies and bad ones: what is wrong has its right name and what to change."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from msgspec import structs
from node_under_test import Server, running, settings

from proxies import Change, Proxy, in_front, replace
from wirehop.cli.doctor import doctor
from wirehop.doctor.findings import Finding, worst
from wirehop.doctor.visit import Questions, examine_url
from wirehop.hosts.native import HostOptions
from wirehop.settings.tree import Heartbeat, Origins

pytestmark = pytest.mark.asyncio
BEHIND = HostOptions(trusted_proxies=("127.0.0.1/32",))
QUICK = Questions(idle=0, timeout=5)


def names(findings: list[Finding], verdict: str) -> set[str]:
    return {finding.name for finding in findings if finding.verdict == verdict}


def named(findings: list[Finding], name: str) -> Finding:
    (found,) = [finding for finding in findings if finding.name == name]
    return found


async def ask(proxy: Proxy, path: str = "", **questions: Any) -> list[Finding]:
    return await examine_url(f"{proxy.url}{path}", structs.replace(QUICK, **questions))


# ---- what is good


async def test_a_server_without_a_proxy_is_well() -> None:
    async with running() as server:
        told: list[Finding] = []
        url = f"http://127.0.0.1:{server.port}"
        findings = await examine_url(url, Questions(idle=0.5, timeout=5), told.append)
        assert told == findings
        assert worst(findings) == "ok", findings
        assert {"reach", "server", "clock", "keep-alive", "origin", "websocket", "stream", "idle-stream", "idle-poll",
                "idle-websocket"} <= names(findings, "ok")  # fmt: skip
        assert "wirehop 0." in named(findings, "server").seen
        assert server.leftovers() == {}


@pytest.mark.parametrize("is_secure", [False, True])
async def test_the_proxies_that_we_ship_are_well(behind: tuple[Server, Proxy], is_secure: bool) -> None:
    _, proxy = behind
    questions = Questions(idle=0.5, timeout=5, authorities=str(proxy.authority))
    findings = await examine_url(proxy.tls_url if is_secure else proxy.url, questions)
    assert worst(findings) == "ok", [finding for finding in findings if finding.verdict != "ok"]
    assert named(findings, "forwarded").verdict == "ok"
    if is_secure:
        assert "HTTP/2 is offered" in named(findings, "http2").seen
        assert "is good until" in named(findings, "tls").seen


# ---- what is bad: each proxy has one fault

NO_UPGRADE = replace(
    ("proxy_set_header Upgrade $http_upgrade;", ""), ("Connection $connection_upgrade;", 'Connection "";')
)
HTTP_1_0 = replace(("proxy_http_version 1.1;", "proxy_http_version 1.0;"))
BUFFERED = replace(
    ("proxy_buffering off;", "proxy_buffering on; proxy_ignore_headers X-Accel-Buffering;"),
    ("proxy_http_version 1.1;", "proxy_http_version 1.0;"),  # with chunks nginx passes on what is there
)
GZIP = replace(("tcp_nodelay on;", "tcp_nodelay on; gzip on; gzip_proxied any; gzip_types text/event-stream;"))
HAPROXY_GZIP = replace(
    ("    option httpchk GET /ready", "    compression algo gzip\n    compression type text/event-stream")
)
PREFIX = replace(("location / {", "location /live/ {"))
HAPROXY_PREFIX = replace(("    default_backend wirehop", "    use_backend wirehop if { path_beg /live/ }"))
NO_HOST = replace(("proxy_set_header Host $http_host;", ""))
FORGETFUL = replace(
    ("proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;", ""),
    ("proxy_set_header X-Forwarded-Proto $scheme;", ""),
)
CLOSING = replace(("keepalive_timeout 75s;", "keepalive_timeout 0;"))
NO_KEEP_ALIVE = replace(("''      '';", "''      close;"))
TWICE = replace(("tcp_nodelay on;", "tcp_nodelay on; add_header Access-Control-Allow-Origin *;"))

FAULTS: dict[str, tuple[str, Change, str, str, str]] = {
    "no upgrade headers": ("nginx", NO_UPGRADE, "", "websocket", "Upgrade $http_upgrade"),
    "HTTP/1.0": ("nginx", HTTP_1_0, "", "upstream-http", "proxy_http_version 1.1"),
    "buffering": ("nginx", BUFFERED, "", "stream-buffered", "proxy_buffering off"),
    "gzip": ("nginx", GZIP, "", "stream-compressed", "gzip_types"),
    "gzip of HAProxy": ("haproxy", HAPROXY_GZIP, "", "stream-compressed", "compression type"),
    "a prefix that is kept": (
        "nginx",
        PREFIX,
        "/live",
        "prefix",
        "location /live/ { proxy_pass http://127.0.0.1:8000/",
    ),
    "a prefix that is kept by HAProxy": ("haproxy", HAPROXY_PREFIX, "/live", "prefix", "replace-path /live(/.*)? \\1"),
    "a prefix that nobody has": ("nginx", str, "/live", "prefix", "location /live/"),
    "another Host": ("nginx", NO_HOST, "", "host", "proxy_set_header Host $http_host"),
    "CORS twice": ("nginx", TWICE, "", "cors", "add_header"),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_each_fault_has_its_name_and_what_to_change(fault: str, tmp_path: Path) -> None:
    name, change, path, expected, advised = FAULTS[fault]
    async with running(options=BEHIND) as server:
        with in_front(name, server.port, tmp_path, change) as proxy:
            findings = await ask(proxy, path)
    assert named(findings, expected).verdict == "bad", findings
    assert advised in named(findings, expected).change
    explained = {"upstream-http": {"websocket"}, "stream-buffered": {"upstream-http", "websocket"}, "host": {"origin"}}
    assert names(findings, "bad") <= {expected} | explained.get(expected, set()), findings


COSTLY: dict[str, tuple[Change, str, str]] = {
    "connections that are closed": (CLOSING, "keep-alive", "keepalive_timeout"),
    "connections to the server that are closed": (NO_KEEP_ALIVE, "upstream-keep-alive", "keepalive 64"),
}


@pytest.mark.parametrize("fault", COSTLY)
async def test_what_only_costs_is_a_warning(fault: str, tmp_path: Path) -> None:
    change, expected, advised = COSTLY[fault]
    async with running(options=BEHIND) as server:
        with in_front("nginx", server.port, tmp_path, change) as proxy:
            findings = await ask(proxy)
    assert names(findings, "bad") == set(), findings
    assert named(findings, expected).verdict == "warn"
    assert advised in named(findings, expected).change


SHORT = {
    "nginx": replace(("proxy_read_timeout 75s;", "proxy_read_timeout 1s;")),
    "haproxy": replace(("timeout server 75s", "timeout server 1s"), ("timeout tunnel 1h", "timeout tunnel 1s")),
}


@pytest.mark.parametrize("proxy_name", SHORT)
async def test_a_proxy_that_cuts_silent_wires_is_found_out(proxy_name: str, tmp_path: Path) -> None:
    async with running(options=BEHIND) as server:
        with in_front(proxy_name, server.port, tmp_path, SHORT[proxy_name]) as proxy:
            findings = await ask(proxy, idle=3.0)
    assert names(findings, "bad") == {"idle-stream", "idle-poll", "idle-websocket"}, findings
    for each in ("idle-stream", "idle-poll", "idle-websocket"):
        seen, change = named(findings, each).seen, named(findings, each).change
        assert "cut after 1." in seen or "cut after 2." in seen, seen
        assert "proxy_read_timeout" in change
        assert "timeout server" in change
    assert "504" in named(findings, "idle-poll").seen
    assert "proxy_read_timeout 48s" in named(findings, "idle-stream").change


async def test_a_cut_behind_the_heartbeat_is_none(tmp_path: Path) -> None:
    async with running(options=BEHIND, heartbeat=Heartbeat(interval=0.3)) as server:
        with in_front("nginx", server.port, tmp_path, SHORT["nginx"]) as proxy:
            findings = await ask(proxy, idle=2.0)
    assert named(findings, "idle-stream").verdict == "ok"
    assert named(findings, "idle-poll").verdict == "bad", "polls are held up to 55 s"


async def test_a_proxy_that_gathers_small_packets_is_named_where_it_shows(tmp_path: Path) -> None:
    gathering = replace(("    option http-no-delay\n", ""))
    async with running(options=BEHIND) as server:
        with in_front("haproxy", server.port, tmp_path, gathering) as proxy:
            findings = await ask(proxy)
    shown = {finding.name for finding in findings if finding.name.startswith("stream")}
    assert shown in ({"stream-delayed"}, {"stream-buffered"}), findings  # about 210 ms, more on a busy machine


# ---- TLS, forwarding, origins


async def test_a_certificate_that_nobody_trusts_is_named_and_the_rest_is_looked_at(
    behind: tuple[Server, Proxy],
) -> None:
    findings = await examine_url(behind[1].tls_url, QUICK)
    assert names(findings, "bad") == {"tls"}
    assert "refused" in named(findings, "tls").seen
    assert named(findings, "websocket").verdict == "ok"


async def test_no_http_2(tmp_path: Path) -> None:
    async with running(options=BEHIND) as server:
        with in_front("nginx", server.port, tmp_path, replace((" ssl http2;", " ssl;"))) as proxy:
            findings = await examine_url(proxy.tls_url, structs.replace(QUICK, authorities=str(proxy.authority)))
    assert names(findings, "warn") == {"http2"}
    assert "listen 443 ssl http2" in named(findings, "http2").change


@pytest.mark.parametrize(("change", "trusts"), [(FORGETFUL, True), (str, False)])
async def test_a_page_of_its_own_address_is_foreign_where_forwarding_is_not_heard(
    change: Callable[[str], str], trusts: bool, tmp_path: Path
) -> None:
    async with running(options=BEHIND if trusts else HostOptions()) as server:
        with in_front("nginx", server.port, tmp_path, change) as proxy:
            findings = await examine_url(proxy.tls_url, structs.replace(QUICK, authorities=str(proxy.authority)))
    assert names(findings, "bad") == {"scheme", "origin"}
    assert "trusted_proxies" in named(findings, "scheme").change
    assert ("X-Forwarded-Proto $scheme" in named(findings, "scheme").change) == trusts
    if not trusts:
        assert named(findings, "forwarded").verdict == "warn"


@pytest.mark.parametrize("proxy_name", ["nginx"])
@pytest.mark.parametrize("behind", [{"origins": Origins(allowed=("https://good.example",))}], indirect=True)
async def test_the_pages_of_another_origin(behind: tuple[Server, Proxy]) -> None:
    _, proxy = behind
    assert worst(await ask(proxy, origin="https://good.example")) == "ok"
    findings = await ask(proxy, origin="https://evil.example")
    refused = [finding for finding in findings if finding.verdict == "bad"]
    assert [finding.name for finding in refused] == ["origin"]
    assert "https://evil.example" in refused[0].seen
    assert "origins.allowed" in refused[0].change


# ---- what is not there


async def test_nobody_listens(tmp_path: Path) -> None:
    async with running() as server:
        port = server.port
    findings = await examine_url(f"http://127.0.0.1:{port}", QUICK)
    assert [(finding.name, finding.verdict) for finding in findings] == [("reach", "bad")]


async def test_a_proxy_without_a_server(tmp_path: Path) -> None:
    async with running() as server:
        port = server.port
    with in_front("nginx", port, tmp_path) as proxy:
        findings = await ask(proxy)
    assert "502" in named(findings, "server").seen
    assert worst(findings) == "bad"


async def test_a_server_without_the_address_for_it_is_looked_at_from_outside() -> None:
    without = structs.replace(settings().transports, doctor=False)
    async with running(transports=without) as server:
        findings = await examine_url(f"http://127.0.0.1:{server.port}", QUICK)
    assert names(findings, "warn") == {"doctor"}
    assert named(findings, "websocket").verdict == "ok"


async def test_plain_http_where_tls_is_asked_for() -> None:
    async with running() as server:
        findings = await examine_url(f"https://127.0.0.1:{server.port}", structs.replace(QUICK, timeout=2))
    assert names(findings, "bad") == {"tls"}


# ---- the command


async def test_the_command_prints_findings_and_its_exit_code_says_whether_something_is_bad(tmp_path: Path) -> None:
    async with running(options=BEHIND) as server:
        with in_front("nginx", server.port, tmp_path, NO_UPGRADE) as proxy:
            arguments = [proxy.url, "--idle", "0", "--json"]
            result = await asyncio.to_thread(CliRunner().invoke, doctor, arguments, standalone_mode=False)
            assert result.return_value == 1, result.output
            lines = [json.loads(line) for line in result.output.splitlines()]
            assert {"name": "clock", "verdict": "ok", "seen": "the clocks agree"} in lines
            assert [line["name"] for line in lines if line["verdict"] == "bad"] == ["websocket"]
        url = f"http://127.0.0.1:{server.port}"
        result = await asyncio.to_thread(CliRunner().invoke, doctor, [url, "--idle", "0"], standalone_mode=False)
        assert result.return_value == 0
        assert "ok    websocket" in result.output
