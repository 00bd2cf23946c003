"""What every callback of a page needs: its address read, its page checked, and a sentence where reading failed."""

import logging
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from dash.exceptions import PreventUpdate

from core.errors import QuestionAbandoned, TpscopeError
from dashboards import queries
from dashboards.context import Web
from dashboards.look import read_look
from dashboards.window import BadWindow
from storage.asking import unfinished

logger = logging.getLogger(__name__)

T = TypeVar("T")


def read_query(search: str | None) -> dict[str, str]:
    """The parameters of an address; of one that stands twice, the last."""
    return dict(parse_qsl((search or "").removeprefix("?")[:4000]))


def page_of(path: str | None) -> str:
    """The path by which a page is known."""
    return (path or "/").rstrip("/") or "/"


def attempt(work: Callable[[], T]) -> T | str:
    """The answer, or a sentence for the reader that says why there is none."""
    try:
        return work()
    except BadWindow as error:
        return f"The address of this page cannot be used: {error}."
    except QuestionAbandoned as error:
        unfinished()
        return error.sentence
    except TpscopeError as error:
        unfinished()
        logger.warning("page could not be read", extra={"error": str(error)})
        return "The store does not answer. This page tries again by itself."
    except Exception:
        unfinished()
        logger.exception("page failed")
        return "Something went wrong here; the service's log says what."


def seen(web: Web, look: Any) -> Web:
    """The collaborators with the clock of the reader's choice."""
    return web.in_zone(read_look(look).zone)


def on_page(path: str | None, wanted: str, look: Any) -> None:
    """Stop where the callback is not for this page, or the browser has not said yet how it looks."""
    if page_of(path) != wanted or not (isinstance(look, dict) and look.get("ready")):
        raise PreventUpdate


def offered(web: Web) -> dict[str, list[str]]:
    """The values that filters offer; none where the store does not answer."""
    values = attempt(lambda: queries.choices(web, queries.freshness(web).complete_until))
    return values if isinstance(values, dict) else {}
