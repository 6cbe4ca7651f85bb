"""Round trips of handshakes, counted between two ends of real implementations in one process, flight by flight."""

import ssl
from collections.abc import Callable
from types import SimpleNamespace

import pytest
import trustme
from aiortc.rtcsctptransport import RTCSctpCapabilities, RTCSctpTransport
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RemoteSettingsChanged, ResponseReceived
from h2.settings import SettingCodes, Settings
from OpenSSL import SSL

from wirehop.lab.tables.round_trips import (
    DTLS,
    ICE,
    NEW,
    REQUEST,
    SCTP,
    SETTINGS,
    TCP,
    TLS13,
    UPGRADE,
    WARM,
    trips,
)
from wirehop.rtc.pure.stun import Kind, Method, decode, encode


def test_a_tls_1_3_handshake_takes_one_round_trip() -> None:
    authority = trustme.CA()
    ours, theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.issue_cert("example.org").configure_cert(ours)
    authority.configure_trust(theirs)
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = theirs.wrap_bio(down, up, server_hostname="example.org")
    server = ours.wrap_bio(up, down, server_side=True)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()  # the first flight: a hello
    with pytest.raises(ssl.SSLWantReadError):
        server.do_handshake()  # its answer, with which the client is done
    client.do_handshake()
    client.write(b"GET / HTTP/1.1\r\n\r\n")  # in the same flight as the end of the handshake
    server.do_handshake()
    assert client.version() == "TLSv1.3"
    assert server.read() == b"GET / HTTP/1.1\r\n\r\n"
    assert TLS13.trips == 1


def test_a_dtls_1_2_handshake_takes_two_round_trips() -> None:
    certificate = trustme.CA().issue_cert("example.org")
    ours, theirs = SSL.Context(SSL.DTLS_METHOD), SSL.Context(SSL.DTLS_METHOD)
    for context in (ours, theirs):
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
    with certificate.private_key_and_cert_chain_pem.tempfile() as path:
        ours.use_privatekey_file(path)
        ours.use_certificate_chain_file(path)
    client, server = SSL.Connection(theirs, None), SSL.Connection(ours, None)
    client.set_connect_state()
    server.set_accept_state()
    flights = 0
    while not _is_done(client):
        server.bio_write(_out(client))
        _is_done(server)
        client.bio_write(_out(server))
        flights += 1
    assert flights == DTLS.trips == 2


def _is_done(end: SSL.Connection) -> bool:
    try:
        end.do_handshake()
    except SSL.WantReadError:
        return False
    return True


def _out(end: SSL.Connection) -> bytes:
    """All that it has to say now. Datagrams go one by one on a network; between these two the order is kept anyway."""
    return end.bio_read(65_536)


@pytest.mark.asyncio
async def test_an_sctp_association_takes_two_round_trips() -> None:
    """Who opened it may send at the end of the second; its first data may ride with the second flight."""
    said: dict[str, list[bytes]] = {"opens": [], "answers": []}

    def end(name: str) -> RTCSctpTransport:
        async def send(data: bytes) -> None:
            said[name].append(data)

        role = "client" if name == "opens" else "server"
        wire = SimpleNamespace(
            state="connected",
            _role=role,
            _send_data=send,
            _register_data_receiver=lambda _: None,
            _unregister_data_receiver=lambda _: None,
        )
        return RTCSctpTransport(wire)  # type: ignore[arg-type]

    opener, answerer = end("opens"), end("answers")
    await answerer.start(RTCSctpCapabilities(65_536), opener.port)
    said["answers"].clear()  # of both ends' attempts (RFC 8841, section 9.3) one is lost
    await opener.start(RTCSctpCapabilities(65_536), answerer.port)
    flights, kinds = 0, []
    while opener.state != "connected" and flights < 10:
        for name, receiver in (("opens", answerer), ("answers", opener)):
            flight = said[name][:]
            said[name].clear()
            kinds += [data[12] for data in flight[:1]]  # the type of its first chunk, behind the common header
            for data in flight:
                await receiver._handle_data(data)
        flights += 1
    init, init_ack, cookie_echo, cookie_ack = 1, 2, 10, 11
    assert kinds == [init, init_ack, cookie_echo, cookie_ack]
    assert flights == SCTP.trips == 2
    await opener.stop()
    await answerer.stop()


def test_a_check_of_ice_is_a_request_and_its_answer() -> None:
    identity = b"twelve bytes"
    request = decode(encode(Method.BINDING, Kind.REQUEST, identity, []))
    answer = decode(encode(Method.BINDING, Kind.SUCCESS, request.transaction, []))
    assert (request.kind, answer.kind, answer.transaction) == (Kind.REQUEST, Kind.SUCCESS, identity)
    assert ICE.trips == 1


def test_a_websocket_on_http_2_waits_for_the_settings_once_and_then_takes_one_round_trip() -> None:
    client = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
    server = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
    server.local_settings = Settings(client=False, initial_values={SettingCodes.ENABLE_CONNECT_PROTOCOL: 1})
    client.initiate_connection()
    server.initiate_connection()
    server.receive_data(client.data_to_send())  # the first flight: the preface
    events = client.receive_data(server.data_to_send())  # its answer: extended CONNECT is welcome here
    changed = next(event for event in events if isinstance(event, RemoteSettingsChanged))
    assert changed.changed_settings[SettingCodes.ENABLE_CONNECT_PROTOCOL].new_value == 1
    assert SETTINGS.trips == 1
    for number in (1, 3):  # another one on the same connection is as quick
        client.send_headers(number, [*_connect("websocket")])
        server.receive_data(client.data_to_send())
        server.send_headers(number, [(":status", "200")])
        server.send_data(number, b"\x81\x05first")
        events = client.receive_data(server.data_to_send())
        assert [type(event) for event in events if isinstance(event, ResponseReceived | DataReceived)] == [
            ResponseReceived,
            DataReceived,
        ]
    assert trips(WARM["websocket-h2"]) == 1


def _connect(protocol: str) -> list[tuple[str, str]]:
    return [
        (":method", "CONNECT"),
        (":protocol", protocol),
        (":scheme", "https"),
        (":path", "/channels/news"),
        (":authority", "example.org"),
    ]


def test_round_trips_add_up() -> None:
    assert (TCP.trips, REQUEST.trips, UPGRADE.trips) == (1, 1, 1)
    over_tcp: Callable[[str], bool] = lambda technique: TCP in NEW[technique]  # noqa: E731 - it names what is meant
    assert {trips(NEW[each]) for each in NEW if over_tcp(each) and each != "websocket-h2"} == {3}
    assert trips(NEW["websocket-h2"]) == 4
    assert {each for each, steps in WARM.items() if trips(steps) == 3} == {"websocket"}  # a connection of its own
    assert trips(NEW["data-channel"]) == 5
    assert trips(NEW["media"]) == 3
