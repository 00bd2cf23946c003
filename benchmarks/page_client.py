"""Asks pages as a browser does, without one: lays a page out and calls back what fills it, over HTTP."""

import json
from collections.abc import Iterator
from typing import Any

import httpx

LOOK = {"mode": "light", "narrow": False, "hidden": [], "zone": "", "ready": True}
_ALL = '["ALL"]'


class PageClient:
    """A reader of pages; safe to use from one thread."""

    def __init__(self, address: str) -> None:
        self._http = httpx.Client(base_url=address, timeout=120)
        self._callbacks: list[dict[str, Any]] = [
            one for one in self._http.get("/_dash-dependencies").raise_for_status().json() if not one["clientside_function"]
        ]
        self._ids: dict[str, list[Any]] = {}

    def fill(self, path: str, search: str) -> float:
        """Seconds of the server for what fills a page, its layout aside; loopback and HTTP included. Raises for an error."""
        ids = self._laid_out(path, search)
        payloads = [self._payload(one, ids, path, search) for one in self._callbacks if _fills(one, ids)]
        return sum(self._ask(payload) for payload in payloads)

    def get(self, address: str) -> float:
        """Seconds of an answer of the API."""
        answer = self._http.get(address)
        answer.raise_for_status()
        return answer.elapsed.total_seconds()

    def _laid_out(self, path: str, search: str) -> list[Any]:
        """The ids of a page's components, read once."""
        if path not in self._ids:
            callback = next(one for one in self._callbacks if one["output"] == "page.children")
            self._ids[path] = list(_ids(self._answer(self._payload(callback, [], path, search)).json()))
        return self._ids[path]

    def _ask(self, payload: dict[str, Any]) -> float:
        return self._answer(payload).elapsed.total_seconds()

    def _answer(self, payload: dict[str, Any]) -> httpx.Response:
        answer = self._http.post("/_dash-update-component", json=payload)
        answer.raise_for_status()
        return answer

    def _payload(self, callback: dict[str, Any], ids: list[Any], path: str, search: str) -> dict[str, Any]:
        known = {"url.search": search, "url.pathname": path, "look.data": LOOK, "tick.n_intervals": 1}

        def held(part: dict[str, str]) -> Any:
            if _ALL in part["id"]:
                return [{"id": one, "property": part["property"], "value": None} for one in _matching(part["id"], ids)]
            value = known.get(f"{part['id']}.{part['property']}", part["id"])
            return {"id": part["id"], "property": part["property"], "value": value}

        outputs = [_output(text, ids) for text in _split(callback["output"])]
        return {
            "output": callback["output"],
            "outputs": outputs if callback["output"].startswith("..") else outputs[0],
            "inputs": [held(part) for part in callback["inputs"]],
            "state": [held(part) for part in callback["state"]],
            "changedPropIds": ["url.search"],
        }


def _fills(callback: dict[str, Any], ids: list[Any]) -> bool:
    """Whether it reads the address, and waits for a component of this page."""
    names = [part["id"] for part in callback["inputs"] if _ALL not in part["id"]]
    return "url" in names and any(name in ids for name in names)


def _split(output: str) -> list[str]:
    return output[2:-2].split("...") if output.startswith("..") else [output]


def _output(text: str, ids: list[Any]) -> Any:
    name, _, prop = text.rpartition(".")
    if _ALL not in name:
        return {"id": name, "property": prop.partition("@")[0]}
    return [{"id": one, "property": prop} for one in _matching(name, ids)]


def _matching(pattern: str, ids: list[Any]) -> list[Any]:
    wanted = json.loads(pattern)
    return [
        one
        for one in ids
        if isinstance(one, dict)
        and one.keys() == wanted.keys()
        and all(value == ["ALL"] or one[key] == value for key, value in wanted.items())
    ]


def _ids(node: Any) -> Iterator[Any]:
    """Every id below a component as JSON has it, in the order of the layout."""
    if isinstance(node, dict):
        if "id" in node and "namespace" not in node and "type" not in node:
            yield node["id"]
        for key, value in node.items():
            if key != "id":
                yield from _ids(value)
    elif isinstance(node, list):
        for one in node:
            yield from _ids(one)
