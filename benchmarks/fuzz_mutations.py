"""Log records that have gone wrong in every way that records do: the same for the same seed and block."""

import random
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import orjson

from benchmarks.call_records import call_records

GATEWAYS = Path(__file__).parents[1] / "tests" / "data" / "gateways"
HUGE_BYTES = 10 * 1024 * 1024
HUGE_EVERY = 100_000
"""One record of so many has a string of ten million characters."""

Record = Callable[[random.Random, bytes], bytes]

_SCALAR = re.compile(rb'(?<=[:,\[])\s*("(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null)(?=\s*[,}\]])')
_NUMBER = re.compile(rb"(?<=[:,\[])-?\d[\d.eE+-]*(?=[,}\]])")
_DEPTHS = (2, 20, 200, 1_023, 1_025, 20_000)

HOSTILE = (
    b"null", b"true", b"false", b"0", b"-0", b"-1", b"1e400", b"-1e400", b"1e-400", b"NaN", b"Infinity", b"-Infinity", b"nan",
    b"1e5", b"12.0", b"0.1", b"00", b"01", b"+1", b".5", b"1.", b"0x10", b"9" * 30, b"9" * 400, b"-" + b"9" * 30,
    b"1" + b"0" * 5000,
    b"18446744073709551615", b"18446744073709551616", b"9223372036854775807", b"9223372036854775808", b"-9223372036854775808",
    b"-9223372036854775809", b"4294967295", b"4294967296", b"65535", b"65536", b"255", b"256", b"99", b"100", b"999", b"1000",
    b'""', b'" "', b'"-"', b'"0"', b'"200"', b'" 200 "', b'"1e3"', b'"NaN"', b'"inf"', b'"true"', b'"yes"', b'"\\u0000"',
    b'"\\ud800"', b'"\\udc00\\ud800"', b'"\\ud83d\\ude00"', b'"\xff\xfe"', b'"\xc3\x28"', b'"\xed\xa0\x80"',
    b'"\xf0\x9f\x98\x80"',
    b'"a\nb"', b'"a\tb"', b'"a\\nb"', b'"\x00"', b'"\\q"', b'"\\', b'"', b"[]", b"{}", b"[1,2]", b'{"a":1}', b'[{"a":[{}]}]',
    b'"2026-01-01"', b'"2026-02-30T00:00:00Z"', b'"2026-01-01T00:00:60Z"', b'"0000-00-00T00:00:00Z"', b'"9999-12-31T23:59:59Z"',
    b'"2026-01-01T00:00:00+99:99"', b'"2026-01-01 00:00:00,5"', b'"1969-12-31T23:59:59Z"', b'"2106-02-07T06:28:16Z"',
    b"253402300800", b"1e18", b"-5", b'"/a?b=c"', b'"' + b"x" * 600 + b'"', b'"' + "ü€😀".encode() * 300 + b'"',
    b"'single'", b"undefined",
    b"1,2", b"1 2", b"//", b"/**/1",
)  # fmt: skip
_BYTES = (
    b"",
    b" ",
    b"\n",
    b"\r\n",
    b"\x00",
    b"null",
    b"[]",
    b"{}",
    b"{",
    b"}",
    b'"',
    b"1",
    b"[{}]",
    b"\xef\xbb\xbf{}",
    b"{}{}",
    b"{}\n{}",
    b"\xff" * 9,
)
_SEPARATORS = (
    b"\n",
    b"\r",
    b"\x00",
    b",",
    b"}",
    b"{",
    b"[",
    b"]",
    b'"',
    b"\\",
    b":",
    b"\xff",
    b"\xc3",
    b"\xed\xa0\x80",
    b"\xe2\x80\xa8",
    b"/",
)


def _is_json(text: bytes) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


WRONG_BUT_JSON = tuple(text for text in HOSTILE if _is_json(text))


def seeds(now: datetime) -> dict[str, list[bytes]]:
    """Records by format, as gateways write them, and in the envelopes of log shippers; their times are `now`."""
    plain = {path.stem: path.read_bytes().splitlines() for path in sorted(GATEWAYS.glob("*.ndjson"))}
    plain["tpscope"] = call_records(20, start=now)
    found = {}
    for name, lines in plain.items():
        records = [_recent(one, now) for one in lines if one]
        shipped = [
            orjson.dumps(
                {"@timestamp": now.isoformat(), key: one.decode() if as_text else orjson.loads(one), "stream": "stdout"}
            )
            for one in records[:4]
            for key, as_text in (("log", True), ("message", True), ("message", False))
        ]
        found[name] = records + shipped
    found["samples"] = [b'{"ts":"%s","values":{"cpu":0.4,"instances":3},"labels":{"pool":"gpu"}}' % now.isoformat().encode()]
    return found


class Mutations:
    """Blocks of mutated records."""

    def __init__(self, seed: int, now: datetime) -> None:
        self._seed = seed
        self._seeds = {
            name: [(one, [match.span(1) for match in _SCALAR.finditer(one)]) for one in records]
            for name, records in seeds(now).items()
        }
        self._all = [one for records in self._seeds.values() for one in records]

    def block(self, number: int, count: int, format_: str = "") -> list[bytes]:
        """`count` records, most of them once of that format; about one in seven is left as it was."""
        rng = random.Random(f"{self._seed}/{number}")
        mine = self._seeds.get(format_, self._all)
        records = []
        for _ in range(count):
            value = self._one(rng, *rng.choice(mine if rng.random() < 0.8 else self._all))
            while rng.random() < 0.1:
                value = rng.choice(_OF_BYTES)(rng, value)
            records.append(value)
        return records

    def _one(self, rng: random.Random, value: bytes, spans: list[tuple[int, int]]) -> bytes:
        if rng.random() < 1 / HUGE_EVERY:
            return _put(value, spans, rng, b'"' + rng.choice((b"x", b"\\n", "ü".encode(), b"\xff", b"{")) * HUGE_BYTES + b'"')
        kind = rng.random()
        if kind < 0.15:
            return value
        if kind < 0.7:
            for _ in range(rng.choice((1, 1, 1, 2, 5))):
                value = _put(value, spans, rng, rng.choice(WRONG_BUT_JSON if rng.random() < 0.85 else HOSTILE))
                spans = spans if rng.random() < 0.1 else [match.span(1) for match in _SCALAR.finditer(value)]
            return value
        return rng.choice(_OF_BYTES)(rng, value)


def _recent(value: bytes, now: datetime) -> bytes:
    """The record with a time of now in whatever way it has one, so that it is not refused for its age."""
    value = re.sub(
        rb"20\d\d-\d\d-\d\d([T ])\d\d:\d\d",
        now.strftime("%Y-%m-%d").encode() + rb"\g<1>" + now.strftime("%H:%M").encode(),
        value,
    )
    since = b"%d" % int(now.timestamp())
    return re.sub(rb"(?<![\d.])17\d{8}(?=\d{0,9}(?!\d))", since, value)


def _put(value: bytes, spans: list[tuple[int, int]], rng: random.Random, what: bytes) -> bytes:
    if not spans:
        return what
    start, end = rng.choice(spans)
    return value[:start] + what + value[end:]


def _cut_off(rng: random.Random, value: bytes) -> bytes:
    return value[: rng.randrange(len(value) + 1)]


def _beheaded(rng: random.Random, value: bytes) -> bytes:
    return value[rng.randrange(len(value) + 1) :]


def _other_byte(rng: random.Random, value: bytes) -> bytes:
    at = rng.randrange(len(value) + 1)
    return value[:at] + bytes((rng.randrange(256),)) + value[at + 1 :]


def _more_bytes(rng: random.Random, value: bytes) -> bytes:
    at = rng.randrange(len(value) + 1)
    return value[:at] + rng.choice(_SEPARATORS) + value[at:]


def _without(rng: random.Random, value: bytes) -> bytes:
    at = rng.randrange(len(value) + 1)
    return value[:at] + value[at + rng.randrange(1, 30) :]


def _repeated(rng: random.Random, value: bytes) -> bytes:
    at = rng.randrange(len(value) + 1)
    return value[: at + rng.randrange(1, 60)] + value[at:]


def _twice_a_key(rng: random.Random, value: bytes) -> bytes:
    keys = re.findall(rb'"[a-zA-Z_.]{1,30}":', value[:4000])
    return value.replace(b"{", b"{" + rng.choice(keys) + rng.choice(HOSTILE) + b",", 1) if keys else value


def _deep(rng: random.Random, value: bytes) -> bytes:
    depth = rng.choice(_DEPTHS) if rng.random() < 0.02 else rng.choice(_DEPTHS[:3])
    opened, closed = rng.choice(((b"[", b"]"), (b'{"a":', b"}"), (b"[{},", b"]")))
    nested = opened * depth + b"1" + closed * rng.choice((depth, depth, depth - 1))
    return value.replace(b"{", b'{"deep":' + nested + b",", 1)


def _odd(rng: random.Random, _value: bytes) -> bytes:
    return rng.choice(_BYTES)


def _of_numbers(rng: random.Random, value: bytes) -> bytes:
    return _NUMBER.sub(lambda match: match[0] + rng.choice((b"e3", b".5", b"0" * 25, b"e-7", b"")), value)


def _twice(_rng: random.Random, value: bytes) -> bytes:
    return value + value


_OF_BYTES: tuple[Record, ...] = (
    _cut_off, _beheaded, _other_byte, _other_byte, _more_bytes, _more_bytes, _without, _repeated, _twice_a_key, _deep,
    _odd, _of_numbers, _twice
)  # fmt: skip


def recent_start() -> datetime:
    """A time that no rule about too old calls minds."""
    return datetime.now(UTC).replace(microsecond=0)
