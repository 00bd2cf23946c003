"""Signatures against those that AWS publishes, and what a request to a bucket looks like."""

from datetime import UTC, datetime

import pytest

from core.export_settings import BucketSettings
from core.secrets import Secret
from tpscope.s3 import Credentials, put_object, sign

# "Authenticating Requests: Using the Authorization Header", Amazon S3 API reference: its key and its examples.
KEYS = Credentials(access_key="AKIAIOSFODNN7EXAMPLE", secret_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
AT = datetime(2013, 5, 24, tzinfo=UTC)
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize(
    ("method", "path", "headers", "signature"),
    [
        (
            "GET",
            "/test.txt",
            {"range": "bytes=0-9", "x-amz-content-sha256": EMPTY},
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            "PUT",
            "/test%24file.text",
            {
                "date": "Fri, 24 May 2013 00:00:00 GMT",
                "x-amz-storage-class": "REDUCED_REDUNDANCY",
                "x-amz-content-sha256": "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
            },
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
    ],
)
def test_the_published_signatures_come_out(method: str, path: str, headers: dict[str, str], signature: str) -> None:
    signed = sign(method, path, {"host": "examplebucket.s3.amazonaws.com", **headers}, KEYS, "us-east-1", AT)
    assert signed["authorization"].endswith(f"Signature={signature}")
    assert "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, SignedHeaders=" in signed["authorization"]


def test_a_file_goes_under_its_prefix_and_no_secret_is_shown() -> None:
    bucket = BucketSettings(
        endpoint="https://s3.example.com:9000/",
        name="plans",
        prefix="capacity/(eu)/",
        access_key=Secret("AK"),
        secret_key=Secret("hidden-1"),
        session_token=Secret("hidden-2"),
    )
    made = put_object(bucket, "plan.csv", b"x", "text/csv", AT)
    assert (made.method, made.url) == ("PUT", "https://s3.example.com:9000/plans/capacity/%28eu%29/plan.csv")
    assert made.headers["host"] == "s3.example.com:9000"
    assert made.headers["x-amz-security-token"] == "hidden-2"
    assert "hidden" not in f"{bucket!r} {KEYS!r}"
    assert "hidden-1" not in str(made)
