"""Who makes a request, for the routes: `who: Who` among a route's parameters."""

from typing import Annotated

from fastapi import Depends, Request

from core.access import NOBODY, Principal


def principal_of(request: Request) -> Principal:
    """The principal that the gate found; nobody where there is no gate."""
    found: Principal = getattr(request.state, "principal", NOBODY)
    return found


Who = Annotated[Principal, Depends(principal_of)]


def deed(request: Request, **detail: object) -> None:
    """Add to what the audit notes of this request; never a secret."""
    request.state.deed = {**getattr(request.state, "deed", {}), **detail}
