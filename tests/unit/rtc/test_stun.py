"""The codec of STUN: the test vectors of RFC 5769, round trips of whatever there is, and bytes that are no message."""

import contextlib

import aioice.stun as oracle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirehop.rtc.pure import stun
from wirehop.rtc.pure.stun import Attribute, BadMessage, Kind, Method, decode, encode


def octets(text: str) -> bytes:
    return bytes.fromhex(text.replace("\n", " "))


# RFC 5769 section 2.1: a request with a short-term password
REQUEST = octets("""
    00 01 00 58 21 12 a4 42 b7 e7 a7 01 bc 34 d6 86 fa 87 df ae
    80 22 00 10 53 54 55 4e 20 74 65 73 74 20 63 6c 69 65 6e 74
    00 24 00 04 6e 00 01 ff
    80 29 00 08 93 2f f9 b1 51 26 3b 36
    00 06 00 09 65 76 74 6a 3a 68 36 76 59 20 20 20
    00 08 00 14 9a ea a7 0c bf d8 cb 56 78 1e f2 b5 b2 d3 f2 49 c1 b5 71 a2
    80 28 00 04 e5 7a 3b cf
""")
# section 2.2: its answer, over IPv4
ANSWER_4 = octets("""
    01 01 00 3c 21 12 a4 42 b7 e7 a7 01 bc 34 d6 86 fa 87 df ae
    80 22 00 0b 74 65 73 74 20 76 65 63 74 6f 72 20
    00 20 00 08 00 01 a1 47 e1 12 a6 43
    00 08 00 14 2b 91 f5 99 fd 9e 90 c3 8c 74 89 f9 2a f9 ba 53 f0 6b e7 d7
    80 28 00 04 c0 7d 4c 96
""")
# section 2.3: over IPv6
ANSWER_6 = octets("""
    01 01 00 48 21 12 a4 42 b7 e7 a7 01 bc 34 d6 86 fa 87 df ae
    80 22 00 0b 74 65 73 74 20 76 65 63 74 6f 72 20
    00 20 00 14 00 02 a1 47 01 13 a9 fa a5 d3 f1 79 bc 25 f4 b5 be d2 b9 d9
    00 08 00 14 a3 82 95 4e 4b e6 7b f1 17 84 c9 7c 82 92 c2 75 bf e3 ed 41
    80 28 00 04 c8 fb 0b 4c
""")
# section 2.4: a request with the long-term mechanism
LONG_TERM = octets("""
    00 01 00 60 21 12 a4 42 78 ad 34 33 c6 ad 72 c0 29 da 41 2e
    00 06 00 12 e3 83 9e e3 83 88 e3 83 aa e3 83 83 e3 82 af e3 82 b9 00 00
    00 15 00 1c 66 2f 2f 34 39 39 6b 39 35 34 64 36 4f 4c 33 34 6f 4c 39 46 53 54 76 79 36 34 73 41
    00 14 00 0b 65 78 61 6d 70 6c 65 2e 6f 72 67 00
    00 08 00 14 f6 70 24 65 6d d6 4a 3e 02 b8 e0 71 2e 85 c9 a2 8c a8 96 66
""")
SHORT_TERM_PASSWORD = b"VOkJxbRl1RmTxUk/WvJxBt"
ID = octets("b7 e7 a7 01 bc 34 d6 86 fa 87 df ae")


def test_rfc_5769_sample_request() -> None:
    message = decode(REQUEST)
    assert (message.method, message.kind, message.transaction) == (Method.BINDING, Kind.REQUEST, ID)
    assert message.value(Attribute.SOFTWARE) == b"STUN test client"
    assert message.text(Attribute.USERNAME) == "evtj:h6vY"
    assert message.value(Attribute.PRIORITY) == octets("6e 00 01 ff")
    assert message.value(Attribute.ICE_CONTROLLED) == octets("93 2f f9 b1 51 26 3b 36")
    assert message.is_signed_with(SHORT_TERM_PASSWORD)
    assert not message.is_signed_with(SHORT_TERM_PASSWORD + b"x")
    assert message.unknown() == ()


@pytest.mark.parametrize(
    ("data", "address"),
    [(ANSWER_4, ("192.0.2.1", 32853)), (ANSWER_6, ("2001:db8:1234:5678:11:2233:4455:6677", 32853))],
)
def test_rfc_5769_sample_answers(data: bytes, address: tuple[str, int]) -> None:
    message = decode(data)
    assert (message.method, message.kind, message.transaction) == (Method.BINDING, Kind.SUCCESS, ID)
    assert message.text(Attribute.SOFTWARE) == "test vector"
    assert message.address(Attribute.XOR_MAPPED_ADDRESS) == address
    assert stun.write_address(address, ID) == message.value(Attribute.XOR_MAPPED_ADDRESS)
    assert message.is_signed_with(SHORT_TERM_PASSWORD)


def test_rfc_5769_long_term_authentication() -> None:
    message = decode(LONG_TERM)
    username = "\u30de\u30c8\u30ea\u30c3\u30af\u30b9"
    assert message.text(Attribute.USERNAME) == username
    assert message.text(Attribute.REALM) == "example.org"
    assert message.text(Attribute.NONCE) == "f//499k954d6OL34oL9FSTvy64sA"
    assert message.is_signed_with(stun.long_term_key(username, "example.org", "TheMatrIX"))
    assert not message.is_signed_with(stun.long_term_key(username, "example.org", "TheMatrix"))
    made = encode(
        message.method,
        message.kind,
        message.transaction,
        message.attributes[:-1],
        key=stun.long_term_key(username, "example.org", "TheMatrIX"),
    )
    assert made == LONG_TERM


@pytest.mark.parametrize("data", [REQUEST, ANSWER_4, ANSWER_6, LONG_TERM])
def test_a_changed_byte_of_a_vector_is_noticed(data: bytes) -> None:
    key = (
        stun.long_term_key("\u30de\u30c8\u30ea\u30c3\u30af\u30b9", "example.org", "TheMatrIX")
        if data is LONG_TERM
        else SHORT_TERM_PASSWORD
    )
    unsigned = range(len(data) - 8, len(data) - 6) if data is not LONG_TERM else ()  # what kind of attribute follows
    for at in (at for at in range(len(data)) if at not in unsigned):
        changed = data[:at] + bytes((data[at] ^ 0x10,)) + data[at + 1 :]
        try:
            message = decode(changed)
        except BadMessage:
            continue
        assert not message.is_signed_with(key), f"byte {at}"


_attributes = st.lists(
    st.tuples(
        st.integers(0, 0xFFFF).filter(
            lambda kind: (
                kind not in (Attribute.MESSAGE_INTEGRITY, Attribute.MESSAGE_INTEGRITY_SHA256, Attribute.FINGERPRINT)
            )
        ),
        st.binary(max_size=40),
    ),
    max_size=8,
)


@given(
    st.integers(0, 0xFFF),
    st.sampled_from(Kind),
    st.binary(min_size=12, max_size=12),
    _attributes,
    st.none() | st.binary(min_size=1, max_size=64),
    st.booleans(),
    st.booleans(),
)
def test_what_is_encoded_is_decoded(
    method: int,
    kind: Kind,
    transaction: bytes,
    attributes: list[tuple[int, bytes]],
    key: bytes | None,
    sha256: bool,
    fingerprint: bool,
) -> None:
    data = encode(method, kind, transaction, attributes, key=key, sha256=sha256, fingerprint=fingerprint)
    message = decode(data)
    assert (message.method, message.kind, message.transaction) == (method, kind, transaction)
    assert list(message.attributes[: len(attributes)]) == attributes
    assert stun.is_stun(data) == (method < 0x100)  # RFC 7983 leaves the higher ones to others
    assert message.is_signed == (key is not None)
    if key is not None:
        assert message.is_signed_with(key)
        assert not message.is_signed_with(key + b"\1")


@given(st.ip_addresses(), st.integers(0, 65_535), st.binary(min_size=12, max_size=12))
def test_addresses_go_there_and_back(host: object, port: int, transaction: bytes) -> None:
    value = stun.write_address((str(host), port), transaction)
    assert stun.read_address(value, transaction) == (str(host), port)


@given(st.binary(max_size=120))
def test_no_bytes_do_anything_but_decode_or_be_refused(data: bytes) -> None:
    with contextlib.suppress(BadMessage):
        decode(data)


@given(st.binary(max_size=200).filter(lambda body: len(body) % 4 == 0))
def test_no_body_behind_a_right_header_does_either(body: bytes) -> None:
    data = b"\x00\x03" + len(body).to_bytes(2, "big") + octets("21 12 a4 42") + ID + body
    try:
        message = decode(data)
    except BadMessage:
        return
    message.unknown()
    message.error()
    for kind in Attribute:
        message.address(kind)
        message.text(kind)


def test_attributes_after_a_signature_do_not_count() -> None:
    signed = encode(Method.ALLOCATE, Kind.REQUEST, ID, [(Attribute.USERNAME, b"a")], key=b"k")
    extra = octets("00 19 00 04 11 00 00 00")
    data = signed[:2] + (len(signed) - 20 + len(extra)).to_bytes(2, "big") + signed[4:] + extra
    message = decode(data)
    assert message.value(Attribute.REQUESTED_TRANSPORT) is None
    assert message.is_signed_with(b"k")


def test_an_independent_codec_reads_what_we_write_and_we_what_it_writes() -> None:
    message = oracle.Message(oracle.Method.BINDING, oracle.Class.REQUEST, transaction_id=ID)
    message.attributes["USERNAME"] = "a:b"
    message.attributes["XOR-MAPPED-ADDRESS"] = ("198.51.100.7", 4242)
    message.add_message_integrity(b"secret")
    ours = decode(bytes(message))
    assert ours.is_signed_with(b"secret")
    assert ours.address(Attribute.XOR_MAPPED_ADDRESS) == ("198.51.100.7", 4242)
    theirs = oracle.parse_message(
        encode(
            Method.BINDING,
            Kind.SUCCESS,
            ID,
            [(Attribute.XOR_MAPPED_ADDRESS, stun.write_address(("2001:db8::1", 9), ID))],
            key=b"secret",
            fingerprint=True,
        )
    )
    assert theirs.attributes["XOR-MAPPED-ADDRESS"] == ("2001:db8::1", 9)


def test_unknown_attributes_are_named_once_each_in_their_order() -> None:
    data = encode(Method.BINDING, Kind.REQUEST, ID, [(0x7001, b""), (0x0002, b""), (0x7001, b"x"), (0x9001, b"")])
    assert decode(data).unknown() == (0x7001, 0x0002)
    assert stun.write_types((0x7001, 2)) == octets("70 01 00 02")


def test_an_error_has_its_code_and_phrase() -> None:
    data = encode(Method.ALLOCATE, Kind.ERROR, ID, [(Attribute.ERROR_CODE, stun.write_error(486))])
    assert decode(data).error() == (486, "Allocation Quota Reached")
