"""What may be kept of a record besides its columns, and what never is."""

from typing import Any

import orjson
import pytest

from ingest.formats.attributes import MAX_ATTRIBUTES, MAX_KEY, MAX_VALUE, add_attributes


def kept(extra: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    add_attributes(found, extra)
    return found


@pytest.mark.parametrize(
    "key",
    ["authorization", "Authorization", "proxy-authorization", "api_key", "apiKey", "APIKEY", "x-api-key", "openai_api_key",
     "password", "db_password", "secret", "client_secret", "cookie", "Set-Cookie", "token", "access_token", "accessToken",
     "refresh-token", "auth", "credentials", "aws_credentials", "private_key", "key", "jwt", "session_id", "sessionId",
     "prompt", "system_prompt", "negative_prompt", "messages", "body", "request_body", "responseBody", "content", "input",
     "output", "completion", "text", "payload", "prompt_template", "user_message", "message"],
)  # fmt: skip
def test_credentials_prompts_and_bodies_are_never_kept(key: str) -> None:
    assert kept({key: "something of value"}) == {}


@pytest.mark.parametrize(
    "key",
    ["prompt_length", "prompt_id", "api_key_id", "total_tokens", "max_tokens", "tokens", "token_count", "cache_key",
     "partition_key", "content_type", "content_length", "body_bytes", "input_tokens", "error_message", "status_text", "author",
     "team", "keyboard", "secretary", "monkey", "context_window", "num_images_per_prompt", "messages_count"],
)  # fmt: skip
def test_names_that_only_sound_alike_are_kept(key: str) -> None:
    assert kept({key: "x"}) == {key: "x"}


def test_a_number_is_no_prompt_but_may_be_a_credential() -> None:
    assert kept({"input": 12, "output": 7.5, "password": 1234, "pin_token": 99}) == {"input": "12", "output": "7.5"}


def test_nested_values_lose_what_may_not_be_kept_at_any_depth() -> None:
    request = {
        "headers": {"authorization": "Bearer abcdefgh", "accept": "json"},
        "messages": [{"content": "hi"}],
        "n": [{"token": "x", "k": 1}],
    }
    assert kept({"request": request}) == {"request": '{"headers":{"accept":"json"},"n":[{"k":1}]}'}
    deep: Any = {"password": "x"}
    for _ in range(900):
        deep = {"a": deep}
    assert "password" not in kept({"deep": deep})["deep"]


@pytest.mark.parametrize("value", ["Bearer eyJhbGciOi", "basic dXNlcjpwYXNz", "sk-abcdefghijklmnop1234"])
def test_values_that_are_credentials_are_not_kept_under_any_name(value: str) -> None:
    assert kept({"note": value}) == {}
    assert kept({"notes": [value, "plain"]}) == {"notes": '["…","plain"]'}


def test_sizes_are_bounded() -> None:
    assert len(kept({f"name_{number}": "x" for number in range(200)})) == MAX_ATTRIBUTES
    ((key, value),) = kept({"k" * 1000: "v" * 100_000}).items()
    assert (len(key), len(value)) == (MAX_KEY, MAX_VALUE)
    assert len(kept({"list": list(range(10_000))})["list"]) == MAX_VALUE


def test_values_are_texts_as_json_writes_them() -> None:
    given: dict[Any, Any] = {"a": True, "b": 1, "c": 1.5, "d": None, "e": "", "f": [], "g": {"h": None}, "i": "é", 7: 8}
    assert kept(given) == {"a": "true", "b": "1", "c": "1.5", "f": "[]", "g": '{"h":null}', "i": "é", "7": "8"}


def test_odd_texts_can_be_stored() -> None:
    stored = kept({"half\ud800": "x\udcff", "nested": {"a\ud800": "b\ud800"}, "bytes": b"\xff", "big": {"n": 2**80}})
    orjson.dumps(stored)
    assert stored["bytes"] == "\ufffd"
