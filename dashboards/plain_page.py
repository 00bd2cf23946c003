"""A page of HTML alone, for what must work before and without the application: confirmations and the login."""

import html

from starlette.responses import HTMLResponse

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">{refresh}<title>{title} · tpscope</title>
<link rel="icon" type="image/svg+xml" href="/assets/favicon.svg">
<style>body {{ font-family: system-ui, sans-serif; max-width: 40rem; margin: 15vh auto; padding: 0 1.5rem; line-height: 1.5;
color: #1b2330; background: #fff; }} h1 {{ font-size: 1.3rem; }} button {{ font: inherit; padding: .6rem 1.4rem; border: 0;
border-radius: 6px; background: #0072b2; color: #fff; cursor: pointer; }} p.incident {{ border-left: 4px solid #d55e00;
padding-left: .8rem; }} label {{ display: block; margin: 1rem 0 .3rem; }} input[type=password] {{ font: inherit; width: 100%;
box-sizing: border-box; padding: .6rem; border: 1px solid #6b7688; border-radius: 6px; margin-bottom: 1rem; }}
p.wrong {{ color: #a63d00; }} a {{ color: #005a8d; }} dt {{ font-weight: 600; }} dd {{ margin: 0 0 .6rem; }}
@media (prefers-color-scheme: dark) {{ body {{ background: #10151d; color: #e6eaf1; }} a {{ color: #56b4e9; }}
p.wrong {{ color: #f0a070; }} input[type=password] {{ background: #1b2330; color: #e6eaf1; }} }}</style>
</head><body><main><h1>{title}</h1>{body}</main></body></html>"""


def plain_page(title: str, body: str, status: int, *, refresh: str = "") -> HTMLResponse:
    """The page; `body` is HTML whose values are escaped already. With `refresh` the browser goes on to that address at once."""
    again = f'<meta http-equiv="refresh" content="0; url={html.escape(refresh)}">' if refresh else ""
    return HTMLResponse(_PAGE.format(title=html.escape(title), body=body, refresh=again), status)
