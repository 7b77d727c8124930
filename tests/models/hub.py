"""A hub of one model on this machine: what `huggingface_hub` asks of one, and no more."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0" * 40


def entry(file: Path) -> dict[str, str | int]:
    """A line of the list of files."""
    kept: dict[str, str | int] = {
        "type": "file",
        "path": file.name,
        "size": file.stat().st_size,
    }
    return {**kept, "oid": sha256(file.read_bytes()).hexdigest()[:40]}


@contextmanager
def serving(folder: Path, name: str) -> Iterator[str]:
    """The address of a hub that has the files of a folder as the model `name`."""

    class Handler(BaseHTTPRequestHandler):
        """Files by name, and the list of them."""

        def do_HEAD(self) -> None:
            """What is known of a file."""
            self._answer()

        def do_GET(self) -> None:
            """A file, or the list."""
            self.wfile.write(self._answer())

        def _answer(self) -> bytes:
            """Send the head; the content."""
            path = self.path.partition("?")[0]
            file = folder / path.rpartition("/")[2]
            files = sorted(folder.iterdir())
            if path.startswith(f"/api/models/{name}/revision/"):
                names = [{"rfilename": found.name} for found in files]
                content = json.dumps({"id": name, "sha": COMMIT, "siblings": names}).encode()
            elif path.startswith(f"/api/models/{name}/tree/"):
                content = json.dumps([entry(found) for found in files]).encode()
            elif path.startswith(f"/{name}/resolve/") and file.is_file():
                content = file.read_bytes()
            else:
                self.send_error(404)
                return b""
            self.send_response(200)
            self.send_header("ETag", f'"{sha256(content).hexdigest()}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            return content

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
