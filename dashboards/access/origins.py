"""Whether a browser sends an action from one of our own pages: what a page of another site makes it send is refused.

`Sec-Fetch-Site` where the browser has it (all of today's), else `Origin` against the host that was asked (OWASP, Cross-Site
Request Forgery Prevention). Programs send neither, and bring no cookie that a page could abuse.
"""

from urllib.parse import urlsplit

from starlette.datastructures import Headers

UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_LONGEST_TARGET = 2000
_OWN = frozenset({"same-origin", "none"})


def own_origin(headers: Headers, public_url: str) -> bool:
    """Whether the request comes from our own page, or from no page at all."""
    site = headers.get("sec-fetch-site")
    if site is not None and site not in _OWN:
        return False
    origin = headers.get("origin")
    if origin is None:
        return True
    names = {headers.get("host", "").lower()}
    if public_url:
        names.add(urlsplit(public_url).netloc.lower())
    return urlsplit(origin).netloc.lower() in names


def own_path(target: str) -> str:
    """An address of our own pages, or the overview: what somebody else wrote must lead to no other site."""
    plain = target[:_LONGEST_TARGET]
    safe = plain.startswith("/") and not plain.startswith("//") and plain.isprintable() and "\\" not in plain
    return plain if safe else "/"
