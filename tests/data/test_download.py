"""Downloads: from a mirror that has the file, whole or not at all."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ganlab import ComponentError, download

CONTENT = bytes(range(256)) * 10_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Mirror(BaseHTTPRequestHandler):
    """Serves CONTENT at /good, other content at /other, half of it at /broken; counts requests."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path == "/missing":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        body = {"/good": CONTENT, "/other": CONTENT[::-1], "/broken": CONTENT[: len(CONTENT) // 2]}
        self.wfile.write(body[self.path])

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def mirror() -> Iterator[tuple[Callable[[str], str], list[str]]]:
    """Yield a function from path to address, and the paths that were asked for."""
    handler = type("Fresh", (Mirror,), {"asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield (lambda path: f"http://127.0.0.1:{server.server_port}/{path}"), handler.asked  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()


def test_the_second_mirror_stands_in_for_the_first(mirror: Any, tmp_path: Path) -> None:
    url, asked = mirror
    target = tmp_path / "weights" / "file.pth"
    for first in ("missing", "other", "broken"):
        target.unlink(missing_ok=True)
        download([url(first), url("good")], target, SHA256)
        assert target.read_bytes() == CONTENT
    assert asked == ["/missing", "/good", "/other", "/good", "/broken", "/good"]
    download([url("good")], target, SHA256)
    assert len(asked) == 6, "what is there is not fetched again"


def test_nothing_is_left_where_no_mirror_has_the_file(mirror: Any, tmp_path: Path) -> None:
    url, _ = mirror
    target = tmp_path / "file.pth"
    with pytest.raises(ComponentError) as caught:
        download([url("missing"), url("broken"), url("other"), "http://127.0.0.1:1/"], target, SHA256)
    message = str(caught.value)
    for part in (
        "Not Found",
        "broke off after 1,280,000 of 2,560,000 bytes",
        "is a different file",
        "refused",
    ):
        assert part in message
    assert f"put it at {target}" in message and caught.value.option is None
    assert not target.exists() and not list(tmp_path.glob("*.partial"))


def test_an_interrupted_download_leaves_nothing(
    mirror: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, _ = mirror
    with monkeypatch.context() as patch:
        patch.setattr("ganlab.data.download.counting", interrupting)
        with pytest.raises(KeyboardInterrupt):
            download([url("good")], tmp_path / "file.pth", SHA256)
    assert not [path for path in tmp_path.iterdir() if path.suffix != ".lock"]
    download([url("good")], tmp_path / "file.pth", SHA256)


@contextmanager
def interrupting(what: str, total: int, progress: bool = True) -> Iterator[Callable[[int], None]]:
    """Stand for Ctrl-C when the first bytes have come."""

    def advance(done: int) -> None:
        raise KeyboardInterrupt

    yield advance


def test_a_damaged_file_is_fetched_again(mirror: Any, tmp_path: Path) -> None:
    url, _ = mirror
    target = tmp_path / "file.pth"
    target.write_bytes(CONTENT[:100])
    download([url("good")], target, SHA256)
    assert target.read_bytes() == CONTENT


def test_processes_that_want_the_same_file_fetch_it_once(mirror: Any, tmp_path: Path) -> None:
    url, asked = mirror
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: download([url("good")], tmp_path / "file.pth", SHA256), range(4)))
    assert asked == ["/good"]
