"""Why a broker will not have us, or does not answer, in the operator's words: one line, the same for both Kafka clients."""

import contextlib
import re
import socket
import ssl
from pathlib import Path

from core.config import KafkaSettings
from core.errors import BrokerUnavailable, ConfigError

_PROBE_S = 1.0
_WRONG_NAME = re.compile(r"(hostname|ip address) mismatch|is not valid for", re.IGNORECASE)
_UNTRUSTED = re.compile(r"certificate[ _]verify[ _]failed|certificate could not be verified", re.IGNORECASE)
_REASON = re.compile(r"verify failed: ([^(\[]*[^(\[ ])")
_EXPIRED = re.compile(r"certificate has expired|certificate[ _]expired", re.IGNORECASE)
_OUR_CERTIFICATE = re.compile(
    r"alert.*certificate|alert.*unknown[ _]ca|certificate[ _]required|bad[ _]certificate|alert.*handshake[ _]failure",
    re.IGNORECASE,
)


def check_files(settings: KafkaSettings) -> None:
    """Raises ConfigError for a file of TLS that is missing or not what it should be; it never quotes one."""
    for key in ("tls_ca", "tls_cert", "tls_key", "oauth_tls_ca"):
        path = getattr(settings, key)
        if path and not Path(path).is_file():
            raise ConfigError(f"kafka.{key}", f"there is no file {path!r}")
    context = ssl.create_default_context()
    if settings.tls_ca:
        try:
            context.load_verify_locations(settings.tls_ca)
        except OSError as error:
            raise ConfigError("kafka.tls_ca", f"{settings.tls_ca!r} holds no certificate in PEM form") from error
    if settings.tls_cert:
        # Without a password of its own OpenSSL would ask for one on the terminal.
        password = settings.tls_key_password.reveal() if settings.tls_key_password else ""
        try:
            context.load_cert_chain(settings.tls_cert, settings.tls_key, password)
        except (OSError, ValueError) as error:
            files = repr(settings.tls_cert) + (f" and {settings.tls_key!r}" if settings.tls_key else "")
            problem = f"{files} hold no certificate in PEM form with its key; check them and kafka.tls_key_password"
            raise ConfigError("kafka.tls_cert", problem) from error


def refused_login(settings: KafkaSettings, said: str) -> ConfigError:
    """The broker knows the mechanism and refuses the user or the token."""
    brokers = ", ".join(settings.brokers)
    if settings.sasl_mechanism == "OAUTHBEARER":
        key = "oauth_token_url" if settings.oauth_token_url else "oauth_token"
        problem = f"{brokers} refuses the token{_quoted(said)}; check its validity, audience and scope"
        return ConfigError(f"kafka.{key}", problem)
    return ConfigError(
        "kafka.username",
        f"{brokers} refuses the login of {settings.username!r} by {settings.sasl_mechanism}; check kafka.username and "
        "kafka.password",
    )


def unknown_mechanism(settings: KafkaSettings, offered: str = "") -> ConfigError:
    """The broker does not offer the mechanism."""
    offers = f"it offers {offered}; choose one of those" if offered else "choose one that it offers"
    return ConfigError(
        "kafka.sasl_mechanism", f"{', '.join(settings.brokers)} does not offer {settings.sasl_mechanism}; {offers}"
    )


def tls_refusal(settings: KafkaSettings, said: str) -> ConfigError | None:
    """What a failed handshake means; None where it may be anything else."""
    brokers = ", ".join(settings.brokers)
    if _WRONG_NAME.search(said):
        return ConfigError("kafka.brokers", f"the certificate of {brokers} is for another name; use the name that is in it")
    if _EXPIRED.search(said) and not _OUR_CERTIFICATE.search(said):
        return ConfigError("kafka.tls_ca", f"the certificate of {brokers} has expired; renew it on the brokers")
    if _UNTRUSTED.search(said):
        of = f"is not signed by the authority in {settings.tls_ca!r}" if settings.tls_ca else "is signed by no known authority"
        found = _REASON.search(said)
        reason = f" ({found[1].strip()})" if found and "ssl.ca.location" not in found[1] else ""
        if not reason:  # librdkafka does not tell which
            of += ", or is for another name"
        return ConfigError("kafka.tls_ca", f"the certificate of {brokers} {of}{reason}; name the file of the right one")
    if _OUR_CERTIFICATE.search(said):
        problem = (
            f"{brokers} refuses it; name a certificate of an authority that the brokers trust"
            if settings.tls_cert
            else (f"{brokers} asks for a certificate of ours; name its file here and its key in kafka.tls_key")
        )
        return ConfigError("kafka.tls_cert", problem)
    return None


def no_answer(settings: KafkaSettings) -> BrokerUnavailable:
    """No broker has answered in time."""
    waited = f"within {settings.connect_timeout.total_seconds():g} s"
    for host, _, port in (broker.rpartition(":") for broker in settings.brokers):
        with contextlib.suppress(OSError), socket.create_connection((host.strip("[]"), int(port)), timeout=_PROBE_S):
            return BrokerUnavailable(
                f"kafka.brokers: {host}:{port} accepts connections, but not as Kafka with kafka.security "
                f"{settings.security} {waited}; check kafka.security, the certificates and the port"
            )
    brokers = ", ".join(settings.brokers)
    return BrokerUnavailable(f"kafka.brokers: no broker answers at {brokers} {waited}; start Kafka or correct kafka.brokers")


def _quoted(said: str) -> str:
    """The broker's own reason, where it gives one: a JSON object with a status (RFC 7628, 3.2.2) is all that is known of it."""
    found = re.search(r'"status"\s*:\s*"([a-z_]{1,40})"', said)
    return f" ({found[1]})" if found else ""
