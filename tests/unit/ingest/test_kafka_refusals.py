"""What brokers say, in the operator's words."""

import pytest
from confluent_kafka import KafkaError

from core.config import KafkaSettings
from core.secrets import Secret
from ingest.confluent_client import Refusals
from ingest.kafka_refusals import tls_refusal

SETTINGS = KafkaSettings(brokers=("a:1",), security="SASL_SSL", username="me", password=Secret("hidden"))


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired (_ssl.c:1006)", "has expired"),
        ("certificate verify failed: Hostname mismatch, certificate is not valid for 'a'. (_ssl.c:1006)", "for another name"),
        ("certificate verify failed: self-signed certificate (_ssl.c:1006)", "no known authority (self-signed certificate)"),
        ("SSL handshake failed: error:0A000086:SSL routines::certificate verify failed", "or is for another name"),
        (
            "[SSL: SSLV3_ALERT_CERTIFICATE_UNKNOWN] alert certificate unknown",
            "asks for a certificate of ours",
        ),
        ("[SSL: TLSV1_ALERT_UNKNOWN_CA] tlsv1 alert unknown ca", "asks for a certificate of ours"),
        ("[SSL: SSLV3_ALERT_CERTIFICATE_EXPIRED] alert certificate expired", "asks for a certificate of ours"),
    ],
)
def test_failed_handshakes(said: str, line: str) -> None:
    refusal = tls_refusal(SETTINGS, said)
    assert refusal is not None
    assert line in str(refusal)
    assert "\n" not in str(refusal)


@pytest.mark.parametrize("said", ["socket disconnected", "Connection refused", "[SSL: WRONG_VERSION_NUMBER]"])
def test_what_may_be_anything_is_no_refusal(said: str) -> None:
    assert tls_refusal(SETTINGS, said) is None


def test_errors_of_librdkafka_are_news_once() -> None:
    refusals = Refusals(SETTINGS)
    refusals(KafkaError(KafkaError._TRANSPORT, "Connect to a:1 failed: Connection refused"))
    assert refusals.take_news() == ""
    refusals(KafkaError(KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down"))
    assert refusals.take_news() == "kafka.brokers a:1: no broker answers"
    refusals(KafkaError(KafkaError._AUTHENTICATION, "SASL authentication error: Invalid username or password"))
    refusals(KafkaError(KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down"))
    assert refusals.take_news().startswith("kafka.username: a:1 refuses the login of 'me' by PLAIN")
    assert refusals.take_news() == ""
    assert refusals.last is not None
