"""A static host for the built site, as hosts are: gzip for text, 404.html for what is not there.

The site lies below a folder, so that an address from the host's root leads nowhere.
"""

import gzip
import mimetypes
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

TEXT = {".html", ".css", ".js", ".json", ".svg", ".txt", ".xml"}


class Host(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, site: Path, folder: str) -> None:
        self.site, self.folder = site.resolve(), folder
        self.packed = {}  # by file, what was read before
        super().__init__(("127.0.0.1", 0), Answer)

    def find(self, path: str) -> Path | None:
        """The file at an address; None where there is none, or where it lies outside."""
        file = (self.site / path.removeprefix(self.folder)).resolve()
        if file.is_dir():
            file /= "index.html"
        inside = path.startswith(self.folder) and file.is_relative_to(self.site)
        return file if inside and file.is_file() else None

    def handle_error(self, request: object, client_address: object) -> None:
        """Quiet where a browser left before it had all, which is its right."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        found = self.server.find(unquote(urlsplit(self.path).path))
        file = found or self.server.site / "404.html"
        if file not in self.server.packed:
            self.server.packed[file] = pack(file)
        body, headers = self.server.packed[file]
        self.send_response(200 if found else 404)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quietly."""


def pack(file: Path) -> tuple[bytes, dict[str, str]]:
    """A file as it is sent, and the headers that go before it."""
    body = file.read_bytes()
    headers = {"Content-Type": mimetypes.guess_type(file.name)[0] or "application/octet-stream"}
    if file.suffix in TEXT:
        body = gzip.compress(body)
        headers["Content-Type"] += "; charset=utf-8"
        headers["Content-Encoding"] = "gzip"
    return body, headers | {"Cache-Control": "max-age=600", "Content-Length": str(len(body))}


@contextmanager
def serving(site: Path, folder: str) -> Iterator[int]:
    """Serve the site below the folder, `/some/book/`, from the port that is yielded."""
    with Host(site, folder) as host:
        threading.Thread(target=host.serve_forever, daemon=True).start()
        yield host.server_port
        host.shutdown()
