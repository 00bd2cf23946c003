"""Certificates for 127.0.0.1, made for one run of the tests."""

import shutil
import subprocess
from pathlib import Path

from tests.support.engines import EngineMissing

_NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
_HERE = "subjectAltName=IP:127.0.0.1,DNS:localhost"


def self_signed(folder: Path) -> tuple[Path, Path]:
    """A certificate that vouches for itself, and its key, as PEM files in `folder`; clients trust it as their `ca_certs`."""
    certificate, key = folder / "server.crt", folder / "server.key"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", _HERE]
    _openssl("req", "-x509", *_NEW_KEY, "-noenc", "-days", "2", *subject, "-keyout", str(key), "-out", str(certificate))
    return certificate, key


class Authority:
    """A certificate authority of its own, with its files in `folder`.

    Attributes
    ----------
    certificate : Path
        What clients and servers trust it by.
    """

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self._folder = folder
        self.certificate, self._key = folder / f"{name}.crt", folder / f"{name}.key"
        command = ["req", "-x509", *_NEW_KEY, "-noenc", "-days", "2", "-subj", f"/CN=tpscope test {name}"]
        _openssl(*command, "-keyout", str(self._key), "-out", str(self.certificate))

    def sign(self, name: str, *, alternative: str = _HERE, password: str = "") -> tuple[Path, Path]:
        """A new certificate and its key, in PEM form, the key encrypted where a password is given."""
        certificate, key = self._folder / f"{name}.crt", self._folder / f"{name}.key"
        secrecy = ["-passout", f"pass:{password}"] if password else ["-noenc"]
        command = ["req", "-x509", *_NEW_KEY, *secrecy, "-days", "2", "-subj", f"/CN={name}", "-addext", alternative]
        command += ["-CA", str(self.certificate), "-CAkey", str(self._key)]
        command += ["-addext", "basicConstraints=critical,CA:FALSE"]
        _openssl(*command, "-keyout", str(key), "-out", str(certificate))
        return certificate, key


def _openssl(*arguments: str) -> None:
    if shutil.which("openssl") is None:
        raise EngineMissing("openssl is not installed: apt-get install openssl")
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=60)
