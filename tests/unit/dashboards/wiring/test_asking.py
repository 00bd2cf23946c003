from dashboards.wiring.asking import page_of, read_query


def test_a_query_is_read_whatever_it_holds() -> None:
    assert read_query("?last=6h&provider=openai&provider=mistral&empty=") == {"last": "6h", "provider": "mistral"}
    assert read_query(None) == read_query("") == {}
    assert read_query("?route=%2Fa%20b%3Cscript%3E") == {"route": "/a b<script>"}


def test_a_page_is_known_with_and_without_its_last_slash() -> None:
    assert [page_of(path) for path in (None, "", "/", "/forecast", "/forecast/")] == ["/", "/", "/", "/forecast", "/forecast"]
