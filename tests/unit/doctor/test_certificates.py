"""When a certificate is good, and whether a key belongs to it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from wirehop.doctor.certificates import examine_files, examine_lifetime, validity

NOW = datetime.now(UTC)


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


def files(place: Path, leaf: trustme.LeafCert, name: str = "a") -> tuple[str, str]:
    chain, key = place / f"{name}.pem", place / f"{name}.key"
    chain.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    leaf.private_key_pem.write_to_path(str(key))
    return str(chain), str(key)


def test_a_good_pair(tmp_path: Path, authority: trustme.CA) -> None:
    until = NOW + timedelta(days=90)
    found = examine_files(*files(tmp_path, authority.issue_cert("x.example", not_after=until)), NOW)
    assert (found.verdict, found.seen) == ("ok", f"the certificate is good until {until:%Y-%m-%d}")


def test_one_that_ends_soon_and_one_that_has_ended(tmp_path: Path, authority: trustme.CA) -> None:
    pair = files(tmp_path, authority.issue_cert("x.example", not_after=NOW + timedelta(days=5, hours=1)))
    soon, late = examine_files(*pair, NOW), examine_files(*pair, NOW + timedelta(days=6))
    assert (soon.verdict, late.verdict) == ("warn", "bad")
    assert "in 5 days" in soon.seen
    assert "expired on" in late.seen
    assert soon.change == late.change != ""


def test_one_that_is_not_good_yet(tmp_path: Path, authority: trustme.CA) -> None:
    pair = files(tmp_path, authority.issue_cert("x.example"))
    found = examine_files(*pair, datetime(1999, 1, 1, tzinfo=UTC))
    assert found.verdict == "bad"
    assert "clock" in found.change


def test_the_key_of_another(tmp_path: Path, authority: trustme.CA) -> None:
    chain, _ = files(tmp_path, authority.issue_cert("x.example"))
    _, key = files(tmp_path, authority.issue_cert("y.example"), "b")
    found = examine_files(chain, key, NOW)
    assert found.verdict == "bad"
    assert f"{key} is not the key of {chain}" in found.seen


@pytest.mark.parametrize("text", ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                                  "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"])  # fmt: skip
def test_what_is_no_certificate(tmp_path: Path, authority: trustme.CA, text: str) -> None:
    chain, key = files(tmp_path, authority.issue_cert("x.example"))
    Path(chain).write_text(text)
    found = examine_files(chain, key, NOW)
    assert (found.name, found.verdict) == ("tls", "bad")
    assert chain in found.seen or "cannot be used" in found.seen


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    found = examine_files(str(tmp_path / "none.pem"), str(tmp_path / "none.key"), NOW)
    assert found.verdict == "bad"
    assert "none.pem cannot be read: No such file or directory" in found.seen


@pytest.mark.parametrize("der", [b"", b"\x30", b"\x30\x80", b"\x30\x03\x30\x01\x00", b"\xff" * 40, bytes(100)])
def test_bytes_that_are_no_certificate(der: bytes) -> None:
    with pytest.raises(ValueError, match="not a certificate"):
        validity(der)
    with pytest.raises(ValueError, match="not a certificate"):
        examine_lifetime(der, NOW, renew="")
