"""Where weights come from, and what is said when they do not."""

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
import torch
from conftest import RandomWeights

from ganlab import ComponentError
from ganlab_inception.download import fetch
from ganlab_inception.network import parameter_shapes
from ganlab_inception.weights import FILE_NAME, PUBLISHED_SHA256, read_weights

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
        fetch(target, SHA256, [url(first), url("good")])
        assert target.read_bytes() == CONTENT
    assert asked == ["/missing", "/good", "/other", "/good", "/broken", "/good"]
    fetch(target, SHA256, [url("good")])
    assert len(asked) == 6, "what is there is not fetched again"


def test_nothing_is_left_where_no_mirror_has_the_file(mirror: Any, tmp_path: Path) -> None:
    url, _ = mirror
    target = tmp_path / "file.pth"
    with pytest.raises(ComponentError) as caught:
        fetch(target, SHA256, [url("missing"), url("broken"), url("other"), "http://127.0.0.1:1/"])
    message = str(caught.value)
    for part in ("Not Found", "broke off after 1,280,000 of 2,560,000 bytes", "is another file", "refused"):
        assert part in message
    assert f"put it at {target}" in message and caught.value.option == "download"
    assert not target.exists() and not list(tmp_path.glob("*.partial"))


def test_an_interrupted_download_leaves_nothing(
    mirror: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, _ = mirror
    with monkeypatch.context() as patch:
        patch.setattr("ganlab_inception.download.counting", interrupting)
        with pytest.raises(KeyboardInterrupt):
            fetch(tmp_path / "file.pth", SHA256, [url("good")])
    assert not [path for path in tmp_path.iterdir() if path.suffix != ".lock"]
    fetch(tmp_path / "file.pth", SHA256, [url("good")])


@contextmanager
def interrupting(what: str, total: int, progress: bool | None) -> Iterator[Callable[[int], None]]:
    """Stand for Ctrl-C when the first bytes have come."""

    def advance(done: int) -> None:
        raise KeyboardInterrupt

    yield advance


def test_a_damaged_file_is_fetched_again(mirror: Any, tmp_path: Path) -> None:
    url, _ = mirror
    target = tmp_path / "file.pth"
    target.write_bytes(CONTENT[:100])
    fetch(target, SHA256, [url("good")])
    assert target.read_bytes() == CONTENT


def test_processes_that_want_the_same_file_fetch_it_once(mirror: Any, tmp_path: Path) -> None:
    url, asked = mirror
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: fetch(tmp_path / "file.pth", SHA256, [url("good")]), range(4)))
    assert asked == ["/good"]


def refused(path: Path | None, sha256: str | None = None) -> ComponentError:
    with pytest.raises(ComponentError) as caught:
        read_weights(path, sha256, download=False)
    return caught.value


def test_weights_that_are_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANLAB_CACHE", str(tmp_path))
    error = refused(None)
    assert error.option == "weights"
    for part in (f"put {FILE_NAME}", str(tmp_path / "weights" / FILE_NAME), "`download = true`", "6726825d"):
        assert part in str(error)
    assert "cannot read" in str(refused(tmp_path / "nothing.pth"))
    assert refused(None, "0" * 64).option == "weights_sha256"


def test_another_file_is_taken_only_by_its_digest(random_weights: RandomWeights) -> None:
    error = refused(random_weights.path)
    assert f'weights_sha256 = "{random_weights.sha256}"' in str(error) and PUBLISHED_SHA256 in str(error)
    assert "file of `weights_sha256`" in str(refused(random_weights.path, "0" * 64))
    weights = read_weights(random_weights.path, random_weights.sha256, download=False)
    assert weights.sha256 == random_weights.sha256
    assert list(weights.state) == list(parameter_shapes())


def test_a_file_in_the_cache_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANLAB_CACHE", str(tmp_path))
    cached = tmp_path / "weights" / FILE_NAME
    cached.parent.mkdir()
    cached.write_bytes(b"half of it")
    assert "is not the published file" in str(refused(None))


def test_files_that_hold_another_network(tmp_path: Path) -> None:
    def problem(content: object) -> str:
        path = tmp_path / "weights.pth"
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            torch.save(content, path)
        return str(refused(path, hashlib.sha256(path.read_bytes()).hexdigest()))

    # Zeros that take no room in the file.
    state = {name: torch.zeros(1).expand(shape) for name, shape in parameter_shapes().items()}
    assert "is not a file of tensors" in problem(b"<html>Sign in</html>")
    assert "is not a file of tensors" in problem(print)
    assert "it holds no state dict" in problem([1, 2])
    classes = {**state, "fc.weight": torch.zeros(1).expand(1000, 2048)}
    assert "fc.weight has shape (1000, 2048), not (1008, 2048)" in problem(classes)
    assert "fc.bias is missing" in problem({key: value for key, value in state.items() if key != "fc.bias"})
    assert "AuxLogits.fc.bias is not part of it" in problem({**state, "AuxLogits.fc.bias": torch.zeros(1)})
    assert "fc.bias is not finite" in problem({**state, "fc.bias": torch.full((1008,), float("nan"))})
    assert "(and 470 more)" in problem({"some": torch.zeros(1)})


def test_the_network_has_the_published_tensors() -> None:
    shapes = parameter_shapes()
    # 566 with a count of batches for each of the 94 convolutions.
    assert len(shapes) == 566 - 94
    assert shapes["Mixed_6c.branch7x7_2.conv.weight"] == (160, 160, 1, 7)
    assert shapes["Mixed_7c.branch_pool.conv.weight"] == (192, 2048, 1, 1)
