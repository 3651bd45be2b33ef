"""A customer's website: a tiny server on another port, whose page a test writes."""

import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


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

    def shows(self, body: str, head: str = "", csp: str = "") -> Self:
        """From now on the page is this."""
        self.page = f"<!doctype html><html lang=en><head>{head}</head><body>{body}</body></html>"
        self.headers = {"Content-Security-Policy": csp} if csp else {}
        return self

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
