import orjson

from dashboards.outline import MOST_FIELDS, outline


def test_fields_are_named_with_their_kinds_and_nothing_of_what_they_hold() -> None:
    record = {
        "ts": "2026-03-02",
        "status": 200,
        "authorization": "Bearer hush",
        "stream": True,
        "tags": [1],
        "more": {},
        "x": None,
    }
    found = outline(orjson.dumps(record))
    assert found == "ts text, status number, authorization text, stream yes or no, tags list, more object, x null"
    assert "hush" not in found


def test_what_is_no_object_is_called_what_it_is() -> None:
    assert outline(b"") == "empty"
    assert outline(b"}") == "no JSON, text of 1 bytes kept"
    assert outline(b"\x00\xff") == "no JSON, binary of 2 bytes kept"
    assert outline(b"[1]") == "JSON, but a list"


def test_a_wide_record_is_cut_and_says_so() -> None:
    fields = ",".join(f'"f{number}": 1' for number in range(MOST_FIELDS + 3))
    assert outline(f"{{{fields}}}".encode()).endswith(" and 3 more")
