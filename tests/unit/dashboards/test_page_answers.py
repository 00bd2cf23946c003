"""Answers of pages: made once for all who wait, kept for a moment, ended when nobody waits, never given to other rows."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import orjson
from starlette.types import Message, Receive, Scope, Send

from core.access import LOCAL, Principal, Via
from core.access import Scope as May
from dashboards.asked_of_pages import UPDATE, key_of
from dashboards.page_answers import FRESH_S, STALE_S, PageAnswers
from storage.asking import current_asker, unfinished

PAGE: dict[str, Any] = {
    "output": "tiles.children",
    "outputs": {"id": "tiles", "property": "children"},
    "inputs": [
        {"id": "url", "property": "search", "value": "?last=30d"},
        {"id": "tick", "property": "n_intervals", "value": 3},
        [{"id": {"chart": "tps"}, "property": "value", "value": None}],
    ],
    "state": [{"id": "url", "property": "pathname", "value": "/"}],
    "changedPropIds": ["tick.n_intervals"],
}


class Maker:
    """An application that counts, and answers when it is let."""

    def __init__(self) -> None:
        self.made, self.may, self.fails, self.status = 0, asyncio.Event(), False, 200
        self.left = ""
        self.may.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "http.request"
        self.made += 1
        number, asker = self.made, current_asker()
        while not self.may.is_set():
            if asker is not None and asker.why:
                self.left = asker.why
                break
            await asyncio.sleep(0.01)
        if self.fails:
            unfinished()
        await send({"type": "http.response.start", "status": self.status, "headers": [(b"content-type", b"x/y")]})
        await send({"type": "http.response.body", "body": str(number).encode(), "more_body": True})
        await send({"type": "http.response.body", "body": b"!"})


class Ticks:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def asked(tick: int = 3, search: str = "?last=30d", **change: Any) -> bytes:
    inputs = [
        {**PAGE["inputs"][0], "value": search},
        {**PAGE["inputs"][1], "value": tick},
        PAGE["inputs"][2],
    ]
    return orjson.dumps({**PAGE, "inputs": inputs, **change})


async def ask(
    app: PageAnswers, body: bytes, who: Principal = LOCAL, left: asyncio.Event | None = None, path: str = UPDATE
) -> str | None:
    """What comes back; None where nothing did."""
    sent: list[Message] = []
    given: Iterator[Message] = iter(
        [{"type": "http.request", "body": body[:5], "more_body": True}, {"type": "http.request", "body": body[5:]}]
    )

    async def receive() -> Message:
        if (message := next(given, None)) is not None:
            return message
        await (left or asyncio.Event()).wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": path, "headers": [], "state": {"principal": who}}
    await app(scope, receive, send)
    return b"".join(one.get("body", b"") for one in sent).decode() if sent else None


def played(play: Callable[[Maker, PageAnswers, Ticks], Awaitable[None]], budget_s: float = 5.0) -> None:
    async def run() -> None:
        maker, ticks = Maker(), Ticks()
        await play(maker, PageAnswers(maker, budget_s=budget_s, clock=ticks), ticks)

    asyncio.run(run())


def test_twenty_people_cost_one_answer_and_the_clock_asks_nothing_new() -> None:
    async def play(maker: Maker, app: PageAnswers, ticks: Ticks) -> None:
        maker.may.clear()
        people = [asyncio.create_task(ask(app, asked(tick))) for tick in range(20)]
        await asyncio.sleep(0.03)
        maker.may.set()
        assert await asyncio.gather(*people) == ["1!"] * 20
        assert await ask(app, asked(99)) == "1!"
        assert await ask(app, asked(search="?last=24h")) == "2!"

    played(play)


def test_an_older_answer_is_given_at_once_while_a_newer_one_is_made_and_a_very_old_one_never() -> None:
    async def play(maker: Maker, app: PageAnswers, ticks: Ticks) -> None:
        assert await ask(app, asked()) == "1!"
        ticks.now += FRESH_S + 1
        assert [await ask(app, asked()), await ask(app, asked())] == ["1!", "1!"]
        await asyncio.sleep(0.03)
        assert (maker.made, await ask(app, asked())) == (2, "2!")
        ticks.now += STALE_S + 1
        assert await ask(app, asked()) == "3!"

    played(play)


def test_what_fails_or_lacks_a_part_is_not_kept() -> None:
    async def play(maker: Maker, app: PageAnswers, ticks: Ticks) -> None:
        maker.fails = True
        assert [await ask(app, asked()), await ask(app, asked())] == ["1!", "2!"]
        maker.fails, maker.status = False, 503
        assert [await ask(app, asked()), await ask(app, asked())] == ["3!", "4!"]

    played(play)


def test_an_older_answer_does_not_hide_that_a_newer_one_failed() -> None:
    async def play(maker: Maker, app: PageAnswers, ticks: Ticks) -> None:
        assert await ask(app, asked()) == "1!"
        maker.fails = True
        ticks.now += FRESH_S + 1
        assert await ask(app, asked()) == "1!"
        await asyncio.sleep(0.03)
        assert await ask(app, asked()) == "3!", "the second failed, and was not given out, nor was the first again"

    played(play)


def test_whoever_sees_other_rows_or_may_do_other_things_is_never_given_the_same_bytes() -> None:
    async def play(maker: Maker, app: PageAnswers, ticks: Ticks) -> None:
        people = [
            Principal(name="a", scope=scope, via=Via.TOKEN, tenants=tenants)
            for scope in (May.READ, May.OPERATE)
            for tenants in ((), ("one",), ("two",), ("one", "two"))
        ]
        first = [await ask(app, asked(), who) for who in people]
        assert len(set(first)) == len(people)
        assert [await ask(app, asked(), who) for who in people] == first

    played(play)


def test_the_answer_is_ended_when_the_last_one_has_left_and_made_anew_for_the_next() -> None:
    async def play(maker: Maker, app: PageAnswers, ticks: Ticks) -> None:
        maker.may.clear()
        leaves = [asyncio.Event(), asyncio.Event()]
        people = [asyncio.create_task(ask(app, asked(), left=left)) for left in leaves]
        await asyncio.sleep(0.03)
        leaves[0].set()
        assert await people[0] is None
        await asyncio.sleep(0.03)
        assert maker.left == ""
        leaves[1].set()
        assert await people[1] is None
        maker.may.set()
        assert await ask(app, asked()) == "2!"
        await asyncio.sleep(0.05)
        assert await ask(app, asked()) == "2!"

    played(play)


def test_an_answer_that_takes_too_long_is_ended_in_words() -> None:
    async def play(maker: Maker, app: PageAnswers, ticks: Ticks) -> None:
        maker.may.clear()
        assert await ask(app, asked()) == "1!"
        assert "longer than the 0.05 s that a page may take" in maker.left

    played(play, budget_s=0.05)


def test_a_change_through_the_api_makes_all_forgotten() -> None:
    async def play(maker: Maker, app: PageAnswers, ticks: Ticks) -> None:
        assert await ask(app, asked()) == "1!"
        await ask(app, b"{}    ", path="/api/v1/silences")
        assert await ask(app, asked()) == "3!"

    played(play)


def test_only_what_follows_a_clock_is_shared() -> None:
    without = orjson.dumps({**PAGE, "inputs": PAGE["inputs"][:1]})
    assert [key_of(body) for body in (b"", b"[]", b"7", b'{"inputs": 3}', without)] == [None] * 5
    assert key_of(asked(1), "a") == key_of(asked(2), "a") != key_of(asked(1), "b")
    assert key_of(asked(), "a") != key_of(asked(search="?last=1h"), "a")
    assert key_of(asked(), "a") != key_of(asked(state=[{"id": "url", "property": "pathname", "value": "/llm"}]), "a")
