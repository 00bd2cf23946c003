"""The embedded engine from another process: every call goes to the API of the process that owns the directory.

`RemoteStore` is the client. `answer` and the `handle_…` functions are the other side: pure functions over bytes, so that the
web room only routes them. Whoever has the token may do what the owner's user may do; only that user can read the token.
"""

import hmac
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import pandas as pd
import pyarrow as pa

from core.config import StoreSettings
from core.errors import StoreError, StoreUnavailable
from storage.arrow_frames import to_frame
from storage.contract import Capabilities, Params, Store
from storage.wire import (
    ARROW_MEDIA,
    JSON_MEDIA,
    decode_error,
    decode_request,
    decode_rows,
    encode_error,
    encode_request,
    encode_rows,
)

logger = logging.getLogger(__name__)

PATH = "/internal/v1/"
"""Below the owner's address: `frame` and `arrow` (a query), `command`, `insert?table=…&token=…`; all POST."""
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 2.0
_KEEP_ALIVE_S = 2.0  # shorter than uvicorn's 5 s, so that we do not write into a connection that it closes
_GRACE_S = 5.0  # what the owner gets beyond the query timeout to answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the web server sends back."""

    status: int
    media_type: str
    body: bytes


class RemoteStore:
    """`Store` over the API of the process that owns the embedded directory.

    A call is repeated, at most `settings.retries` times, when the connection broke before the request was sent; a query and
    an insert with a token also when the answer was lost. A lost answer to any other insert or command raises
    StoreUnavailable, since it may have been carried out.
    """

    def __init__(self, api: str, token_file: Path, settings: StoreSettings) -> None:
        """Connects; raises StoreUnavailable when nothing answers at `api`."""
        self._api = api.rstrip("/")
        self._token_file = token_file
        self._token = _read_token(token_file)
        self._retries = settings.retries
        answer_s = settings.query_timeout.total_seconds() + _GRACE_S
        self._client = httpx.Client(
            timeout=httpx.Timeout(answer_s, connect=settings.connect_timeout.total_seconds()),
            limits=httpx.Limits(keepalive_expiry=_KEEP_ALIVE_S),
            trust_env=False,  # never through a proxy: the owner is on this machine
        )
        try:
            version = str(self.arrow("SELECT version() AS version").column("version")[0].as_py())
        except BaseException:
            self._client.close()
            raise
        self._capabilities = Capabilities(name="remote", version=version, arrow=True, owner=False)

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    def frame(self, sql: str, params: Params | None = None) -> pd.DataFrame:
        return to_frame(self.arrow(sql, params))

    def arrow(self, sql: str, params: Params | None = None) -> pa.Table:
        return decode_rows(self._post("arrow", encode_request(sql, params), repeatable=True))

    def insert(self, table: str, rows: pa.Table, *, token: str | None = None) -> None:
        query = {"table": table} if token is None else {"table": table, "token": token}
        self._post("insert", encode_rows(rows), query, repeatable=token is not None)

    def command(self, sql: str, params: Params | None = None) -> None:
        self._post("command", encode_request(sql, params), repeatable=False)

    def close(self) -> None:
        self._client.close()

    def _post(self, action: str, body: bytes, query: Mapping[str, str] | None = None, *, repeatable: bool) -> bytes:
        pause_s = _FIRST_PAUSE_S
        for attempt in range(self._retries + 1):
            try:
                return self._post_once(action, body, query or {})
            except httpx.TransportError as error:
                unsent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
                if attempt == self._retries or not (unsent or repeatable):
                    outcome = (
                        "does not answer" if unsent or repeatable else "broke off, whether it was carried out is not known"
                    )
                    raise StoreUnavailable(f"store: the owner's API at {self._api} {outcome} ({_reason(error)})") from error
            except RuntimeError as error:  # httpx raises it for a closed client
                raise StoreUnavailable("store: is closed") from error
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _post_once(self, action: str, body: bytes, query: Mapping[str, str]) -> bytes:
        response = self._send(action, body, query)
        if response.status_code == httpx.codes.UNAUTHORIZED:
            self._token = _read_token(self._token_file)  # a new owner at the same address has a new token
            response = self._send(action, body, query)
        if response.status_code == httpx.codes.UNAUTHORIZED:
            raise StoreUnavailable(f"store: the API at {self._api} refused the token of {self._token_file}; try again")
        if response.is_success:
            return response.content
        raise decode_error(response.status_code, response.content)

    def _send(self, action: str, body: bytes, query: Mapping[str, str]) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": ARROW_MEDIA if action == "insert" else JSON_MEDIA}
        return self._client.post(f"{self._api}{PATH}{action}", content=body, params=query, headers=headers)


def answer(store: Store, action: str, body: bytes, params: Mapping[str, str]) -> Reply:
    """What the owner's API replies to `POST {PATH}{action}`; the token has been checked (`authorised`).

    `params` are the query arguments. Errors of the store and of the request become replies; others are raised.
    """
    try:
        match action:
            case "frame" | "arrow":
                return Reply(status=200, media_type=ARROW_MEDIA, body=handle_query(store, body))
            case "command":
                handle_command(store, body)
            case "insert":
                handle_insert(store, body, params)
            case _:
                raise ValueError(f"unknown action {action!r}")
    except (StoreError, StoreUnavailable, ValueError) as error:
        status, note = encode_error(error)
        return Reply(status=status, media_type=JSON_MEDIA, body=note)
    return Reply(status=200, media_type=JSON_MEDIA, body=b"{}")


def handle_query(store: Store, body: bytes) -> bytes:
    """Run the query of a request; the rows as an Arrow IPC stream."""
    sql, params = decode_request(body)
    return encode_rows(store.arrow(sql, params))


def handle_command(store: Store, body: bytes) -> None:
    """Run the statement of a request."""
    sql, params = decode_request(body)
    store.command(sql, params)


def handle_insert(store: Store, body: bytes, params: Mapping[str, str]) -> None:
    """Insert the rows of an Arrow IPC stream into `params["table"]`, under `params["token"]` where there is one."""
    if "table" not in params:
        raise ValueError("the argument 'table' is missing")
    store.insert(params["table"], decode_rows(body), token=params.get("token"))


def authorised(authorization: str | None, token: str) -> bool:
    """Whether an Authorization header carries `token`; takes the same time however much of it is right."""
    given = (authorization or "").removeprefix("Bearer ").encode("utf-8")
    return bool(token) and hmac.compare_digest(given, token.encode("utf-8"))


def _read_token(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        raise StoreUnavailable(f"store: its owner is gone ({path} does not exist any more); try again") from None
    except OSError as error:
        raise StoreError(f"store: {path} cannot be read ({error.strerror}); run this as the user who runs the owner") from error


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
