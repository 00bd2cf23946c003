"""Every receiver's messages over real HTTP and SMTP, checked against what others say that they must be."""

import base64
import email.policy
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from importlib import resources
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jsonschema
import pytest
from slack_sdk.models.blocks import Block
from slack_sdk.webhook import WebhookClient

from alerts.message import Message, message_of
from alerts.picture import sample_picture
from alerts.post import AnyPost, Envelope, ReceiverUnavailable
from alerts.receivers import SENDERS, dingtalk, feishu, googlechat, mattermost, teams, webhook, wecom
from alerts.receivers.escaping import plain
from alerts.receivers.templating import check_template, render, render_for
from core.config import ReceiverSettings
from core.errors import ConfigError, DeliveryRefused
from core.secrets import Secret
from core.types import Incident, IncidentState, NotifyReason, RankedCause, Severity
from tests.support.mail import MailServer
from tests.support.receiver import Answer, Receiver
from tests.unit.alerts.builders import incident, settings, slow

NOW = datetime(2026, 3, 2, 12, 2, tzinfo=UTC)
CHATS = ["teams", "discord", "googlechat", "mattermost", "feishu", "dingtalk", "wecom"]
HTTP = ["webhook", "slack", "pagerduty", "telegram", *CHATS]
TAKEN = b'{"ok": true, "code": 0, "errcode": 0, "ts": "1.2", "result": {"message_id": 7}}'
NASTY = '<!channel> <@U1> @everyone @all <users/all> <at id=all></at> *b* [x](http://evil) `c` & "q" \\ \n 漢字😀 '
WEB = {"public_url": "https://tpscope.example.com", "link_key": Secret("k" * 32)}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        running.answer(otherwise=Answer(body=TAKEN))
        yield running


@pytest.fixture
def post() -> Iterator[AnyPost]:
    made = AnyPost()
    yield made
    made.close()


def to(kind: str, receiver: Receiver, **more: Any) -> ReceiverSettings:
    given = {
        "name": kind,
        "type": kind,
        "url": f"{receiver.url}/hook",
        "token": Secret("t0ken"),
        "channel": "42",
        "timeout": "2s",
    }
    return ReceiverSettings.model_validate({**given, **more})


def message(about: Incident | None = None, reason: NotifyReason = NotifyReason.OPENED) -> Message:
    causes = (RankedCause(text="provider openai", share=0.82), RankedCause(text="model gpt-4o", share=0.4))
    about = about or incident(severity=Severity.CRITICAL, causes=causes, runbook="https://wiki.example.com/slow")
    return message_of(about, reason, "key-1", NOW, settings(slow(), web=WEB), receiver="chat")


def nasty(stretch: int) -> Message:
    labels = {"route": NASTY * stretch, "service": "x" * 300, **{f"l{number}": NASTY * stretch for number in range(30)}}
    about = incident(title=NASTY * stretch, summary=NASTY * stretch * 3, labels=labels, runbook="https://e/" + "y" * 200)
    return message(about)


def send(post: AnyPost, receiver: ReceiverSettings, about: Message, **more: Any) -> Any:
    return post(receiver, Envelope(key="key-1", payload=render_for(receiver, about), now=NOW, incident_id="i1", **more))


def test_every_type_has_a_sender_and_a_template() -> None:
    assert set(SENDERS) == {*HTTP, "email", "apprise"}
    for kind in SENDERS:
        assert json.loads(render(kind, message()))


@pytest.mark.parametrize("kind", HTTP)
def test_a_message_arrives_and_says_what_where_how_bad_and_why(kind: str, receiver: Receiver, post: AnyPost) -> None:
    assert send(post, to(kind, receiver), message()).status == 200
    text = receiver.requests[0].body.decode()
    for part in ("900 ms", "chat", "500 ms", "provider openai", "0.82" if kind == "webhook" else "82 %", "incident=i1"):
        assert part in text, (kind, part)
    assert receiver.requests[0].headers["idempotency-key"] == "key-1"


@pytest.mark.parametrize("kind", [*HTTP, "email", "apprise"])
@pytest.mark.parametrize("stretch", [1, 40])
def test_no_text_from_outside_breaks_or_outgrows_a_message(kind: str, stretch: int) -> None:
    payload = render(kind, nasty(stretch))
    limits = {"teams": teams.MOST_BYTES, "googlechat": googlechat.MOST_BYTES, "feishu": feishu.MOST_BYTES,
              "dingtalk": dingtalk.MOST_BYTES, "pagerduty": 512_000, "discord": 40_000}  # fmt: skip
    assert len(payload.encode()) <= limits.get(kind, 200_000)
    body = json.loads(payload)
    if kind == "wecom":
        assert len(body["markdown"]["content"].encode()) <= wecom.MOST_MARKDOWN_BYTES
    if kind == "telegram":
        assert len(body["text"]) <= 4096
    if kind == "mattermost":
        assert len(payload) <= mattermost.MOST_CHARS
    if kind == "discord":
        (embed,) = body["embeds"]
        sizes = [len(embed["title"]), len(embed["description"]), len(embed["footer"]["text"])]
        sizes += [len(field["name"]) + len(field["value"]) for field in embed["fields"]]
        assert sum(sizes) <= 6000
        assert all(0 < len(field["value"]) <= 1024 for field in embed["fields"])
        assert len(body["content"]) <= 2000
        assert body["allowed_mentions"] == {"parse": []}
    if kind == "pagerduty":
        assert len(body["payload"]["summary"]) <= 1024


@pytest.mark.parametrize("kind", [*CHATS, "apprise"])
def test_nothing_from_outside_is_a_mention(kind: str) -> None:
    payload = json.loads(render(kind, nasty(1)))
    texts = list(strings(payload))
    assert not any("<" in text and kind != "googlechat" for text in texts), "angle brackets are mentions and links"
    assert any("everyone" in text for text in texts)
    if kind in ("mattermost", "dingtalk"):  # the others name who is mentioned beside the text, or do not mention so
        assert not any("@everyone" in text or "@all" in text for text in texts)
    assert "<users/all>" not in json.dumps(payload)


def strings(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)
    elif isinstance(value, str):
        yield value


@pytest.mark.parametrize("about", [message(), nasty(1), nasty(40)])
def test_slacks_own_models_accept_the_blocks(about: Message) -> None:
    (attachment,) = json.loads(render("slack", about))["attachments"]
    blocks = Block.parse_all(attachment["blocks"])
    assert len(blocks) == len(attachment["blocks"])
    for block in blocks:
        block.validate_json()


def test_slacks_own_client_sends_the_same(receiver: Receiver) -> None:
    body = json.loads(render("slack", message()))
    receiver.answer(otherwise=Answer(body=b"ok"))
    assert WebhookClient(f"{receiver.url}/hook").send_dict(body).status_code == 200
    assert receiver.requests[0].json == body


@pytest.mark.parametrize("about", [message(), nasty(1), nasty(40)])
def test_the_card_for_teams_is_valid_by_the_schema_of_adaptive_cards(about: Message) -> None:
    schema = json.loads((resources.files("adaptive_cards") / "schemas" / "schema-1.4.json").read_text("utf-8"))
    (attachment,) = json.loads(render("teams", about))["attachments"]
    card = {name: value for name, value in attachment["content"].items() if name != "msteams"}  # the host's own, beside it
    jsonschema.validate(card, schema)


def test_the_webhooks_signature_can_be_checked(receiver: Receiver, post: AnyPost) -> None:
    send(post, to("webhook", receiver, secret=Secret("s3cret")), message())
    (request,) = receiver.requests
    timestamp = request.headers["x-tpscope-timestamp"]
    assert timestamp == str(int(NOW.timestamp()))
    expected = hmac.new(b"s3cret", timestamp.encode() + b"." + request.body, hashlib.sha256).hexdigest()
    assert request.headers["x-tpscope-signature"] == f"v1={expected}"
    assert webhook.signature(request.body + b" ", timestamp, "s3cret") != f"v1={expected}"


def test_dingtalks_and_feishus_signatures(receiver: Receiver, post: AnyPost) -> None:
    send(post, to("dingtalk", receiver, secret=Secret("SEC1"), url=f"{receiver.url}/robot/send?access_token=t"), message())
    query = parse_qs(urlsplit(receiver.requests[0].path).query)
    stamp = query["timestamp"][0]
    digest = hmac.new(b"SEC1", f"{stamp}\nSEC1".encode(), hashlib.sha256).digest()
    assert (query["access_token"], base64.b64decode(query["sign"][0])) == (["t"], digest)
    send(post, to("feishu", receiver, secret=Secret("SEC2")), message())
    body = receiver.requests[1].json
    digest = hmac.new(f"{body['timestamp']}\nSEC2".encode(), b"", hashlib.sha256).digest()
    assert base64.b64decode(body["sign"]) == digest


@pytest.mark.parametrize(
    ("kind", "body", "error"),
    [
        ("feishu", b'{"code": 9499, "msg": "too many"}', ReceiverUnavailable),
        ("feishu", b'{"code": 19021, "msg": "sign match fail"}', DeliveryRefused),
        ("dingtalk", b'{"errcode": 130101}', ReceiverUnavailable),
        ("dingtalk", b'{"errcode": 310000, "errmsg": "sign not match"}', DeliveryRefused),
        ("wecom", b'{"errcode": 45009}', ReceiverUnavailable),
        ("wecom", b'{"errcode": 93000}', DeliveryRefused),
        ("wecom", b"<html>", ReceiverUnavailable),
    ],
)
def test_a_refusal_inside_a_200_is_one(
    kind: str, body: bytes, error: type[Exception], receiver: Receiver, post: AnyPost
) -> None:
    receiver.answer(otherwise=Answer(body=body))
    with pytest.raises(error):
        send(post, to(kind, receiver), message())


def bot(receiver: Receiver, **more: Any) -> ReceiverSettings:
    return to("slack", receiver, url=f"{receiver.url}/api/", **more)


def test_a_bot_of_slack_writes_into_the_thread_and_uploads_the_picture(receiver: Receiver, post: AnyPost) -> None:
    place = json.dumps({"ok": True, "upload_url": f"{receiver.url}/up", "file_id": "F1"}).encode()
    receiver.answer(
        Answer(body=b'{"ok": true, "ts": "17.5"}'), Answer(body=place), Answer(body=b"OK"), Answer(body=b'{"ok": true}')
    )
    receipt = send(post, bot(receiver), message(), picture=lambda: sample_picture(NOW))
    assert receipt.reference == "17.5"
    paths = [request.path for request in receiver.requests]
    assert paths == ["/api/chat.postMessage", "/api/files.getUploadURLExternal", "/up", "/api/files.completeUploadExternal"]
    posted, asked, upload, done = receiver.requests
    assert posted.headers["authorization"] == "Bearer t0ken"
    assert (posted.json["channel"], "thread_ts" in posted.json) == ("42", False)
    assert parse_qs(asked.body.decode())["length"] == [str(len(upload.body))]
    assert upload.body.startswith(b"\x89PNG")
    assert done.json == {"files": [{"id": "F1", "title": "The last hours"}], "channel_id": "42", "thread_ts": "17.5"}
    receiver.answer(Answer(body=b'{"ok": true, "ts": "18.0"}'))
    assert send(post, bot(receiver), message(), thread="17.5").reference == "17.5"
    assert receiver.requests[-1].json["thread_ts"] == "17.5"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b'{"ok": false, "error": "ratelimited"}', ReceiverUnavailable),
        (b'{"ok": false, "error": "channel_not_found"}', DeliveryRefused),
        (b"{}", ReceiverUnavailable),
    ],
)
def test_what_slacks_api_refuses(body: bytes, error: type[Exception], receiver: Receiver, post: AnyPost) -> None:
    receiver.answer(otherwise=Answer(body=body))
    with pytest.raises(error):
        send(post, bot(receiver), message())


def test_a_picture_that_cannot_be_uploaded_costs_nothing_but_itself(receiver: Receiver, post: AnyPost) -> None:
    receiver.answer(Answer(body=b'{"ok": true, "ts": "17.5"}'), Answer(status=500))
    assert send(post, bot(receiver), message(), picture=lambda: b"png").reference == "17.5"
    receiver.answer(Answer(body=b'{"result": {"message_id": 7}}'), Answer(status=500))
    assert send(post, to("telegram", receiver, url=receiver.url), message(), picture=lambda: b"png").reference == "7"


def test_telegram_answers_its_first_message(receiver: Receiver, post: AnyPost) -> None:
    send(post, to("telegram", receiver, url=receiver.url), message(), picture=lambda: b"png", thread="5")
    text, photo = receiver.requests
    assert (text.path, photo.path) == ("/bott0ken/sendMessage", "/bott0ken/sendPhoto")
    assert text.json["reply_parameters"]["message_id"] == 5
    assert b'name="chat_id"' in photo.body


def test_discord_shows_the_picture_inside_and_google_keeps_a_thread(receiver: Receiver, post: AnyPost) -> None:
    send(post, to("discord", receiver), message(), picture=lambda: b"\x89PNG..")
    (request,) = receiver.requests
    assert request.path == "/hook?wait=true"
    assert b"attachment://chart.png" in request.body
    assert b"\x89PNG.." in request.body
    send(post, to("googlechat", receiver, url=f"{receiver.url}/v1/spaces/S/messages?key=k"), message())
    assert receiver.requests[1].json["thread"] == {"threadKey": "tpscope-i1"}
    assert receiver.requests[1].path.endswith("&messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD")


def test_pagerduty_gets_its_key_and_one_alert_an_incident(receiver: Receiver, post: AnyPost) -> None:
    ended = incident(state=IncidentState.RESOLVED, resolved_at=NOW)
    send(post, to("pagerduty", receiver), message())
    send(post, to("pagerduty", receiver), message(ended, NotifyReason.RESOLVED))
    for reason in (NotifyReason.AMENDED, NotifyReason.WITHDRAWN):  # what is over pages nobody again
        send(post, to("pagerduty", receiver), message(ended, reason))
    first, last, *late = (request.json for request in receiver.requests)
    assert (first["event_action"], last["event_action"]) == ("trigger", "resolve")
    assert [one["event_action"] for one in late] == ["resolve", "resolve"]
    assert first["dedup_key"] == last["dedup_key"] == "tpscope-i1"
    assert first["routing_key"] == "t0ken"
    assert first["payload"]["severity"] == "critical"
    assert "t0ken" not in render("pagerduty", message())


def mailbox(server: MailServer, **more: Any) -> ReceiverSettings:
    smtp = {
        "host": "127.0.0.1",
        "port": server.port,
        "security": "none",
        "sender": "tpscope@example.com",
        "to": ["ops@example.com"],
    }
    return ReceiverSettings.model_validate({"name": "mail", "type": "email", "smtp": {**smtp, **more}, "timeout": "5s"})


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
def test_a_mail_has_text_page_picture_and_conversation(post: AnyPost) -> None:
    with MailServer("pw") as server:
        receipt = send(
            post, mailbox(server, username="u", password=Secret("pw")), message(), picture=lambda: sample_picture(NOW)
        )
        send(post, mailbox(server, username="u", password=Secret("pw")), message(), thread=receipt.reference)
        first, second = server.wait_for(2)
    parsed: Any = message_from_bytes(first.as_bytes(), policy=email.policy.default)
    assert parsed["Subject"] == "[critical] Latency P95 above 500 ms: service chat (900 ms)"
    assert "Cause: provider openai (82 %); model gpt-4o (40 %)" in parsed.get_body(("plain",)).get_content()
    page = parsed.get_body(("html",)).get_content()
    assert 'src="cid:chart@tpscope"' in page
    assert [part.get_content_type() for part in parsed.walk()].count("image/png") == 1
    assert (second["In-Reply-To"], first["Message-ID"]) == (receipt.reference, receipt.reference)


@pytest.mark.parametrize(("answer", "error"), [("451 later", ReceiverUnavailable), ("554 never", DeliveryRefused)])
def test_what_a_mail_server_refuses(answer: str, error: type[Exception], post: AnyPost) -> None:
    with MailServer() as server:
        server.refuse = answer
        with pytest.raises(error, match=f"the mail server answered {answer[:3]}"):
            send(post, mailbox(server), message())


def test_a_mail_server_that_is_gone_or_offers_no_tls(post: AnyPost) -> None:
    with MailServer() as server:
        with pytest.raises(DeliveryRefused, match="STARTTLS"):
            send(post, mailbox(server, security="starttls"), message())
        gone = mailbox(server)
    with pytest.raises(ReceiverUnavailable, match="ECONNREFUSED"):
        send(post, gone, message())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Apprise loads every service that it knows
def test_apprise_takes_everything_else(receiver: Receiver, post: AnyPost, caplog: pytest.LogCaptureFixture) -> None:
    address = receiver.url.replace("http://", "json://") + "/s3cret"
    given = ReceiverSettings.model_validate({"name": "other", "type": "apprise", "token": Secret(address)})
    assert send(post, given, message()).status == 200
    assert receiver.requests[0].json["title"] == "[critical] Latency P95 above 500 ms: service chat (900 ms)"
    receiver.answer(otherwise=500)
    with pytest.raises(ReceiverUnavailable):
        send(post, given, message())
    with pytest.raises(DeliveryRefused, match="does not know"):
        send(post, given.model_copy(update={"token": Secret("nonsense")}), message())
    assert "s3cret" not in caplog.text


def test_a_users_template_is_used_and_a_broken_one_loses_no_message(tmp_path: Any, receiver: Receiver, post: AnyPost) -> None:
    path = tmp_path / "own.j2"
    path.write_text('{"text": {{ (incident.severity ~ ": " ~ headline) | json }}, "n": {{ causes | length }}}')
    send(post, to("webhook", receiver, template=str(path)), message())
    assert receiver.requests[0].json["text"].startswith("critical: [critical] Latency")
    check_template(str(path), message())
    for broken, reason in [
        ('{"text": {{ headline }}}', "no JSON"),
        ("{{ nothing }}", "'nothing' is undefined"),
        ("\n{% if %}", "line 2"),
        ("{{ ().__class__.__bases__ }}", "unsafe|undefined"),
        ("{{ headline.format.__globals__ }}", "unsafe|undefined"),
        ("[1]", "no JSON object"),
    ]:
        path.write_text(broken)
        with pytest.raises(ConfigError, match=reason):
            check_template(str(path), message())
        assert render_for(to("webhook", receiver, template=str(path)), message()) == render("webhook", message())
    with pytest.raises(ConfigError, match="cannot be read"):
        check_template(str(tmp_path / "none"), message())


def test_links_by_which_people_act_are_there_only_with_a_key() -> None:
    assert [name for name, _ in message().links] == [
        "Open the incident",
        "Runbook",
        "Acknowledge",
        "Snooze 1 h",
        "It was expected",
    ]
    without = message_of(incident(), NotifyReason.OPENED, "k", NOW, settings(slow(), web={"public_url": "https://t"}))
    assert [name for name, _ in without.links] == ["Open the incident"]
    ended = message(incident(state=IncidentState.RESOLVED, resolved_at=NOW + timedelta(minutes=1)), NotifyReason.RESOLVED)
    assert [name for name, _ in ended.links] == ["Open the incident"]


def test_plain_text_keeps_no_control_characters() -> None:
    assert plain("a\x00b\x1bc<d>\te\n") == "abc‹d›\te\n"
