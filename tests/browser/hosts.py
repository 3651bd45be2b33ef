"""A customer's website: a tiny server on another port, whose page a test writes."""

import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from tests.servers import Server


class Host:
    """Serves one page at every address, with the headers given."""

    def __init__(self) -> None:
        self.page = ""
        self.headers: Mapping[str, str] = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = outer.page.encode()
                self.send_response(200)
                headers = {"Content-Type": "text/html; charset=utf-8", **outer.headers}
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def shows(self, body: str, head: str = "", csp: str = "", lang: str = "en") -> Self:
        """From now on the page is this."""
        whole = f"<html lang={lang}><head>{head}</head><body>{body}</body></html>"
        self.page = f"<!doctype html>{whole}"
        self.headers = {"Content-Security-Policy": csp} if csp else {}
        return self

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class Shop(Host):
    """A customer's website with the chat of one server on it."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self.server = server

    def tag(self, more: str = "async") -> str:
        return f'<script src="{self.server.url}/widget.js" data-site="demo" {more}></script>'

    def sells(self, body: str = "<h1>Shop</h1>", head: str = "", html: str = "lang=en") -> Self:
        """The page is this, with the tag at its end, and fit for phones."""
        viewport = '<meta name="viewport" content="width=device-width, initial-scale=1">'
        self.shows(body + self.tag(), head=viewport + head)
        self.page = self.page.replace("lang=en", html, 1)
        return self
