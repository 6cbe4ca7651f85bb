"""A certificate authority of the run's own, for TLS that browsers are to accept without being told to look away.

`ignore_https_errors` helps pages, not TURN over TLS: for that a browser has to trust the authority. Chromium takes
trust from the NSS database in its user's home, Firefox from the one in its profile; both here are thrown away.
"""

import shutil
from pathlib import Path

import trustme

from .netns import run


class Authority:
    """Its certificates and the places in which it is trusted, in a directory of their own."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._authority = trustme.CA()
        self.file = directory / "authority.pem"
        self._authority.cert_pem.write_to_path(str(self.file))

    def issue(self, *names: str) -> tuple[Path, Path]:
        """A certificate with its chain for these names and addresses, and its key: both as PEM files."""
        certificate = self._authority.issue_cert(*names)
        chain, key = self._directory / f"{names[0]}.pem", self._directory / f"{names[0]}.key"
        chain.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
        certificate.private_key_pem.write_to_path(str(key))
        return chain, key

    def home(self) -> Path:
        """A home for a Chromium that trusts the authority."""
        home = self._directory / "home"
        self._trust_in(home / ".pki" / "nssdb")
        return home

    def profile(self, name: str) -> Path:
        """A profile for a Firefox that trusts the authority; each Firefox needs one of its own."""
        profile = self._directory / f"profile-{name}"
        self._trust_in(profile)
        return profile

    def _trust_in(self, place: Path) -> None:
        if place.exists():
            return
        place.mkdir(parents=True)
        run("certutil", "-N", "-d", f"sql:{place}", "--empty-password")
        run("certutil", "-A", "-d", f"sql:{place}", "-t", "C,,", "-n", "authority", "-i", str(self.file))


def why_not() -> str | None:
    """The reason for which nobody can be made to trust it here; None if there is none."""
    return None if shutil.which("certutil") else "no certutil: install libnss3-tools"
