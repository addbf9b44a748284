"""An indexer that tells something else than it knows, for tests of what the pages make of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx2

Alter = Callable[[str, Any], Any]
"""From the path that was asked and what an honest indexer answers to what this one does; bytes are sent as they are."""


@contextmanager
def lying(api: httpx2.Client, alter: Alter) -> Iterator[str]:
    """Its address. It asks the honest one, and alters the answers."""

    class Liar(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = api.get(self.path)
            told = alter(self.path, answer.json())
            body = told if isinstance(told, bytes) else json.dumps(told).encode()
            self.send_response(answer.status_code)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Liar)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
