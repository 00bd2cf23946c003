"""A real Apache Kafka node that wants TLS and SASL, each on a port of its own."""

import base64
import contextlib

import orjson
from kafka import KafkaAdminClient
from kafka.admin import ScramMechanism, UserScramCredentialUpsertion

from tests.support.certificates import Authority
from tests.support.kafka_broker import KafkaBroker
from tpscope.guarded import free_port

USER, PASSWORD = "reader", "pass word, with= signs"
"""Known to PLAIN and to both kinds of SCRAM."""

_SECURITY = """
# Compaction is done as soon as it may be.
log.cleaner.backoff.ms=100

listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,TLS:SSL,MUTUAL:SSL,SASL:SASL_SSL,PLAIN:SASL_PLAINTEXT

ssl.keystore.type=PEM
ssl.keystore.location={keystore}
ssl.truststore.type=PEM
ssl.truststore.location={truststore}
listener.name.mutual.ssl.client.auth=required

listener.name.sasl.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER
listener.name.sasl.plain.sasl.jaas.config={plain}
listener.name.sasl.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl.oauthbearer.sasl.jaas.config={oauth}
listener.name.sasl.oauthbearer.connections.max.reauth.ms=60000
listener.name.plain.sasl.enabled.mechanisms=PLAIN
listener.name.plain.plain.sasl.jaas.config={plain}
"""
_SCRAM = (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512)
_PLAIN = f'org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
_OAUTH = (
    "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required "
    'unsecuredLoginStringClaim_sub="broker" '
    'unsecuredValidatorRequiredScope="calls";'
)


class SecureKafkaBroker(KafkaBroker):
    """One Kafka node; `bootstrap` is open for the tests' own needs, the other ports are not.

    Attributes
    ----------
    authority : Authority
        Signed the broker's certificate, and is what it trusts.
    tls, mutual, sasl, plain : str
        Addresses: TLS; TLS with a certificate of the client's; TLS with all mechanisms of SASL; SASL PLAIN without TLS.
    """

    def __init__(self) -> None:
        super().__init__()
        self.authority = Authority(self.folder)
        self.tls = self.mutual = self.sasl = self.plain = ""

    def start(self, timeout_s: float = 60.0) -> None:
        super().start(timeout_s)
        with contextlib.closing(KafkaAdminClient(bootstrap_servers=self.bootstrap)) as admin:
            for mechanism in _SCRAM:  # one request each, as the broker demands
                refused = admin.alter_user_scram_credentials([UserScramCredentialUpsertion(USER, mechanism, PASSWORD)])
                assert refused == {USER: None}, refused

    def lay_out(self) -> None:
        super().lay_out()
        certificate, key = self.authority.sign("broker", alternative="subjectAltName=IP:127.0.0.1")
        keystore = self.folder / "broker.pem"
        keystore.write_text(key.read_text("utf-8") + certificate.read_text("utf-8"), "utf-8")
        self.tls, self.mutual, self.sasl, self.plain = (f"127.0.0.1:{free_port()}" for _ in range(4))
        listeners = f"TLS://{self.tls},MUTUAL://{self.mutual},SASL://{self.sasl},PLAIN://{self.plain}"
        text = self._properties.read_text("utf-8").replace(f"//{self.bootstrap}", f"//{self.bootstrap},{listeners}")
        security = _SECURITY.format(keystore=keystore, truststore=self.authority.certificate, plain=_PLAIN, oauth=_OAUTH)
        self._properties.write_text(text + security, "utf-8")


def unsecured_token(expires_at: float, *, issued_at: float, scope: str = "calls", subject: str = "tpscope") -> str:
    """A JSON web signature without a signature, as Kafka's own validator for tests wants it."""
    parts = ({"alg": "none"}, {"sub": subject, "iat": issued_at, "exp": expires_at, "scope": scope})
    return ".".join([*(base64.urlsafe_b64encode(orjson.dumps(part)).decode().rstrip("=") for part in parts), ""])
