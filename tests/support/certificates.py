"""A certificate for 127.0.0.1, made for one run of the tests."""

import shutil
import subprocess
from pathlib import Path

from tests.support.engines import EngineMissing


def self_signed(folder: Path) -> tuple[Path, Path]:
    """A certificate that vouches for itself, and its key, as PEM files in `folder`; clients trust it as their `ca_certs`."""
    if shutil.which("openssl") is None:
        raise EngineMissing("openssl is not installed: apt-get install openssl")
    certificate, key = folder / "server.crt", folder / "server.key"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    command += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return certificate, key
