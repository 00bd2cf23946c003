import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.lines import Lines

VALUES = [b'{"a":1}', b"", b'{\n "b": 2\n}', b" x "]
RECORDS = st.lists(st.binary(max_size=12), max_size=12)


@given(RECORDS)
def test_lines_are_the_values_they_were_made_of(values: list[bytes]) -> None:
    lines = Lines.of(values)
    assert len(lines) == len(values)
    assert list(lines) == values
    assert [lines[at] for at in range(len(values))] == values
    assert bytes(lines.text) == b"\n".join(values)
    assert lines.size_bytes == sum(map(len, values))


@given(RECORDS, st.slices(12))
def test_a_slice_holds_what_a_slice_of_a_list_holds(values: list[bytes], index: slice) -> None:
    part = Lines.of(values)[index]
    assert isinstance(part, Lines)
    assert list(part) == values[index]
    assert list(part[1:]) == values[index][1:]


def test_a_slice_of_consecutive_records_is_not_copied_and_holds_no_others() -> None:
    buffer = pa.py_buffer(b'  {"a":1} \n\n{"b":2}\n  {"c":3}\n')
    lines = Lines(text=buffer, starts=np.array([2, 12, 22]), ends=np.array([9, 19, 29]))
    part = lines[1:]
    assert bytes(part.text) == b'{"b":2}\n  {"c":3}'
    assert pa.py_buffer(part.text).address == buffer.address + 12


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, pa.py_buffer])
def test_any_buffer_is_taken(kind: type) -> None:
    lines = Lines.of(VALUES)
    same = Lines(text=kind(lines.text), starts=lines.starts, ends=lines.ends)
    assert list(same) == VALUES
    assert same[-1] == b" x "
    assert same.take([2, 0]) == [VALUES[2], VALUES[0]]


def test_lines_of_lines_are_the_same_object_and_an_index_beyond_the_end_is_refused() -> None:
    lines = Lines.of(VALUES)
    assert Lines.of(lines) is lines
    with pytest.raises(IndexError):
        lines[4]
