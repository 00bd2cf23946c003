"""Every operation of the API asked a hundred times over by each role, with a day of traffic and with nothing in the store."""

import pytest

from tests.support.access import site
from tests.support.conforming import conforms


@pytest.mark.soak
@pytest.mark.parametrize("empty", [False, True], ids=["filled", "empty"])
@pytest.mark.parametrize("role", ["admin", "operate", "read", "tenant", "nobody"])
def test_answers_keep_to_the_description_for_long(tmp_path_factory: pytest.TempPathFactory, role: str, empty: bool) -> None:
    with site(tmp_path_factory, "conforming", empty=empty) as fresh:
        conforms(fresh, role, examples=100)
