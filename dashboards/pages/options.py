"""What a reader chooses beside window and filters: each stands in the address under its name, and leads the other way round."""

from collections.abc import Mapping, Sequence
from typing import Any

from dash import dcc, html

from dashboards.pages.shell import with_query
from dashboards.pages.words import extra

Option = dict[str, str]


def an_option(label: str, value: str) -> Option:
    """One entry of a list: what it is called, and what the address has for it."""
    return {"label": label, "value": value}


def option(parameter: str, words: str, options: Sequence[Option], query: Mapping[str, str], default: str) -> Any:
    """A list to choose one of, or none of: then `default`, in words, holds."""
    chosen = query.get(parameter)
    known = list(options)
    if chosen and all(chosen != one["value"] for one in known):
        known.insert(0, an_option(chosen, chosen))
    dropdown = dcc.Dropdown(
        id={"type": "filter", "dim": parameter},
        options=known,
        value=chosen,
        placeholder=default,
        clearable=True,
        optionHeight=32,
        maxHeight=320,
    )
    return html.Label([html.Span(words, className="label"), dropdown], className="filter")


def text_field(parameter: str, words: str, query: Mapping[str, str], placeholder: str) -> Any:
    """A field to write into; its text holds once it is left, or Enter is pressed."""
    field = dcc.Input(
        id={"type": "filter", "dim": parameter},
        value=query.get(parameter),
        debounce=True,
        placeholder=placeholder,
        maxLength=500,
        className="text-field",
        type="text",
    )
    return html.Label([html.Span(words, className="label"), field], className="filter")


def removable(path: str, query: Mapping[str, str], names: Sequence[str]) -> Any:
    """Filters that the page has no list for, as links that end them."""
    links = [
        dcc.Link(
            [f"{name.replace('_', ' ')}: {query[name]} ", html.Span("×", **extra(aria_hidden="true"))],
            href=with_query(path, {key: value for key, value in query.items() if key not in (name, "after")}),
            className="button quiet",
            title=f"All values of {name.replace('_', ' ')} again",
        )
        for name in names
    ]
    return html.Div(links, className="chips")
