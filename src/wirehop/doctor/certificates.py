"""Certificates: from when until when one is good, and whether a key belongs to it.

The validity is read from the certificate itself (RFC 5280 section 4.1), so that an expired one, or one that nobody
trusts, can be looked at as well.
"""

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from wirehop.doctor.findings import Finding

SOON_DAYS = 14
_SEQUENCE, _VERSION, _UTC_TIME, _TIME = 0x30, 0xA0, 0x17, 0x18
_END = "-----END CERTIFICATE-----"


def validity(der: bytes) -> tuple[datetime, datetime]:
    """Not before and not after. Raises ValueError for what is no certificate."""
    try:
        certificate = next(_items(der))[1]
        fields = [item for item in _items(next(_items(certificate))[1]) if item[0] != _VERSION]
        begin, end = _items(fields[3][1])  # after the serial number, the algorithm and the issuer
        return _time(*begin), _time(*end)
    except (IndexError, StopIteration, UnicodeDecodeError) as error:
        raise ValueError("not a certificate") from error


def examine_lifetime(der: bytes, now: datetime, *, renew: str) -> Finding:
    """Whether it is good now and for a while."""
    begin, end = validity(der)
    days = (end - now).days
    if now < begin:
        return Finding(
            "tls", "bad", f"the certificate is good from {begin:%Y-%m-%d %H:%M} UTC on", "check this machine's clock"
        )
    if now >= end:
        return Finding("tls", "bad", f"the certificate expired on {end:%Y-%m-%d}", renew)
    if days < SOON_DAYS:
        return Finding("tls", "warn", f"the certificate expires in {days} days, on {end:%Y-%m-%d}", renew)
    return Finding("tls", "ok", f"the certificate is good until {end:%Y-%m-%d}")


def examine_files(certificate: str, private_key: str, now: datetime) -> Finding:
    """The files of the settings: there, readable, of one pair, good for a while."""
    where = "server.certificate and server.private_key name PEM files: the chain with this server's first, and its key"
    for path in (certificate, private_key):
        try:
            Path(path).read_bytes()
        except OSError as error:
            return Finding("tls", "bad", f"{path} cannot be read: {error.strerror}", where)
    text = Path(certificate).read_text(encoding="ascii", errors="replace")
    if _END not in text:
        return Finding("tls", "bad", f"{certificate} holds no certificate", where)
    try:
        lifetime = examine_lifetime(
            ssl.PEM_cert_to_DER_cert(text[text.index("-----BEGIN CERT") : text.index(_END) + len(_END)] + "\n"),
            now,
            renew="renew the certificate, and restart the server",
        )
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, private_key, password=lambda: b"")
    except ssl.SSLError as error:
        reason = error.reason or str(error)
        if "KEY_VALUES_MISMATCH" in reason:
            return Finding("tls", "bad", f"{private_key} is not the key of {certificate}", where)
        return Finding("tls", "bad", f"the certificate or its key cannot be used: {reason}", where)
    except ValueError:
        return Finding("tls", "bad", f"{certificate} holds no certificate", where)
    return lifetime


def _items(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The DER values in `data`: tag and content."""
    at = 0
    while at < len(data):
        tag, size = data[at], data[at + 1]
        at += 2
        if size >= 0x80:
            count = size & 0x7F
            size = int.from_bytes(data[at : at + count], "big")
            at += count
        if at + size > len(data):
            raise ValueError("not a certificate")
        yield tag, data[at : at + size]
        at += size


def _time(tag: int, content: bytes) -> datetime:
    if tag not in (_UTC_TIME, _TIME):
        raise ValueError("not a certificate")
    text = content.decode("ascii")
    if tag == _UTC_TIME:  # RFC 5280 section 4.1.2.5.1: 50 to 99 are of the last century
        text = ("19" if text[:2] >= "50" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
