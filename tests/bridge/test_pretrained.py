"""Getting pretrained files from a server on this machine: whole, cut off, resumed, wrong, and onto a full disk."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from darknet_bridge.errors import CancelledError, DiskError, DownloadError, FormatError, UnsupportedError
from darknet_bridge.formats import WeightsHeader, read_weights_header
from darknet_bridge.recipes import download as downloads
from darknet_bridge.recipes import list_recipes, pretrained
from darknet_bridge.recipes.download import download, part_path
from darknet_bridge.recipes.pretrained import CATALOGUE, Pretrained

CONTENT = WeightsHeader(seen=64).to_bytes() + np.random.default_rng(1).normal(size=250_000).astype("<f4").tobytes()
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves CONTENT at every path; `script` says per request how it misbehaves."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script: list[str] = []
        self.ranges: list[str | None] = []
        self.content = CONTENT

    def url(self, path: str = "x.weights") -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{path}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        behaviour = self.server.script.pop(0) if self.server.script else "good"
        wanted = self.headers.get("Range")
        self.server.ranges.append(wanted)
        content = self.server.content
        if behaviour == "missing":
            self.send_error(404)
            return
        if behaviour == "page":
            content, wanted = b"<!DOCTYPE html>" * 10, None
        start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted and behaviour != "no-range" else 0  # type: ignore[index]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if behaviour != "no-length":
            self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        body = content[start:]
        self.wfile.write(body[: len(body) // 3] if behaviour == "cut" else body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_whole_file_with_progress(server: Server, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    target = tmp_path / "new" / "x.weights"
    assert download([server.url()], target, len(CONTENT), SHA256, lambda *p: seen.append(p)) == SHA256
    assert target.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})
    assert list(target.parent.iterdir()) == [target]


def test_resumes_after_a_cut(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "x.weights"
    server.script = ["cut"]
    with pytest.raises(DownloadError, match=r"connection ended|IncompleteRead"):
        download([server.url()], target, len(CONTENT), SHA256)
    kept = part_path(target).stat().st_size
    assert 0 < kept < len(CONTENT)
    assert not target.exists()
    download([server.url()], target, len(CONTENT), SHA256)
    assert server.ranges == [None, f"bytes={kept}-"]
    assert target.read_bytes() == CONTENT
    assert not part_path(target).exists()


def test_starts_over_when_the_server_knows_no_ranges(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "x.weights"
    part_path(target).write_bytes(CONTENT[:5000])
    server.script = ["no-range"]
    download([server.url()], target, len(CONTENT), SHA256)
    assert target.read_bytes() == CONTENT


def test_takes_the_next_address_and_keeps_the_part(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "x.weights"
    part_path(target).write_bytes(CONTENT[:5000])
    server.script = ["missing", "page", "no-length", "good"]
    download([server.url(name) for name in "abcd"], target, len(CONTENT), SHA256)
    assert server.ranges == ["bytes=5000-"] * 4
    assert target.read_bytes() == CONTENT


def test_every_address_that_failed_is_named(server: Server, tmp_path: Path) -> None:
    server.script = ["missing", "page"]
    with pytest.raises(DownloadError) as caught:
        download([server.url("a"), server.url("b")], tmp_path / "x", len(CONTENT), SHA256)
    text = str(caught.value)
    assert "/a: HTTP 404" in text
    assert "/b: answers with 150 bytes" in text


def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="refused"):
        download(["http://127.0.0.1:9/x"], tmp_path / "x", 10)
    with pytest.raises(DownloadError, match="only http"):
        download(["file:///etc/passwd"], tmp_path / "x", 10)


def test_wrong_checksum_leaves_nothing(server: Server, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="expected 0000"):
        download([server.url()], tmp_path / "x", len(CONTENT), "0" * 64)
    assert not any(tmp_path.iterdir())


def test_cancel_keeps_the_part(server: Server, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise CancelledError("stopped")

    with pytest.raises(CancelledError):
        download([server.url()], tmp_path / "x", len(CONTENT), SHA256, stop)
    assert part_path(tmp_path / "x").stat().st_size > 0
    download([server.url()], tmp_path / "x", len(CONTENT), SHA256)
    assert (tmp_path / "x").read_bytes() == CONTENT


def test_two_processes_never_share_a_part(server: Server, tmp_path: Path) -> None:
    def second(done: int, total: int) -> None:
        download([server.url()], tmp_path / "x", len(CONTENT), SHA256)

    with pytest.raises(DownloadError, match="another process"):
        download([server.url()], tmp_path / "x", len(CONTENT), SHA256, second)


def test_no_room_and_no_folder(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DiskError, match=r"Not a directory|File exists"):
        download([server.url()], tmp_path / "file" / "x", len(CONTENT))
    with pytest.raises(DiskError, match="more bytes are needed"):
        download([server.url()], tmp_path / "x", 1 << 60)
    assert server.ranges == [], "nothing is asked of the network before there is room"


def test_a_disk_that_fills_up_keeps_what_came(server: Server, tmp_path: Path) -> None:
    script = (
        "import resource, signal, sys\nfrom pathlib import Path\n"
        "from darknet_bridge.errors import DiskError\nfrom darknet_bridge.recipes.download import download\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (600000, 600000))\n"
        "try:\n    download([sys.argv[1]], Path(sys.argv[2]), int(sys.argv[3]))\n"
        "except DiskError as error:\n    print(type(error).__name__, error)\n"
    )
    arguments = [sys.executable, "-c", script, server.url(), str(tmp_path / "x"), str(len(CONTENT))]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("DiskError")
    assert "File too large" in done.stdout
    assert 0 < part_path(tmp_path / "x").stat().st_size <= 600_000
    download([server.url()], tmp_path / "x", len(CONTENT), SHA256)
    assert (tmp_path / "x").read_bytes() == CONTENT


# ---- the catalogue


@pytest.fixture
def catalogue(server: Server) -> tuple[Pretrained, ...]:
    whole = Pretrained("whole.weights", "yolov3-tiny", len(CONTENT), sha256=SHA256, urls=(server.url(),))
    return (
        whole,
        Pretrained("whole.conv.5", "yolov3-tiny", 20 + 4 * 1000, layers=5, cut_from="whole.weights"),
        replace(whole, name="unsummed.weights", sha256=None),
    )


def test_obtain_downloads_once(server: Server, tmp_path: Path, catalogue: tuple[Pretrained, ...]) -> None:
    path = pretrained.obtain("whole.weights", tmp_path, catalogue=catalogue)
    assert path.read_bytes() == CONTENT
    assert pretrained.obtain("whole.weights", tmp_path, catalogue=catalogue) == path
    assert len(server.ranges) == 1


def test_obtain_cuts_a_partial_file_from_the_whole(server: Server, tmp_path: Path, catalogue: tuple[Pretrained, ...]) -> None:
    path = pretrained.obtain("whole.conv.5", tmp_path, catalogue=catalogue)
    assert read_weights_header(path).seen == 0
    assert path.read_bytes()[20:] == CONTENT[20:4020]
    assert (tmp_path / "whole.weights").exists()


def test_a_first_checksum_is_recorded_and_held_to(tmp_path: Path, catalogue: tuple[Pretrained, ...]) -> None:
    path = pretrained.obtain("unsummed.weights", tmp_path, catalogue=catalogue)
    assert (tmp_path / "unsummed.weights.sha256").read_text() == f"{SHA256}  unsummed.weights\n"
    assert pretrained.verify(path, catalogue[2]) == SHA256
    path.write_bytes(CONTENT[:-4] + b"\0\0\0\0")
    with pytest.raises(FormatError, match="has " + SHA256):
        pretrained.verify(path, catalogue[2])


def test_downloaded_garbage_of_the_right_size_goes_away(
    server: Server, tmp_path: Path, catalogue: tuple[Pretrained, ...]
) -> None:
    server.content = CONTENT[:-4] + np.float32(np.nan).tobytes()
    with pytest.raises(FormatError, match="nan"):
        pretrained.obtain("unsummed.weights", tmp_path, catalogue=catalogue)
    assert not any(tmp_path.iterdir())


def test_use_this_file(tmp_path: Path, catalogue: tuple[Pretrained, ...]) -> None:
    file = tmp_path / "my.weights"
    file.write_bytes(CONTENT)
    assert pretrained.verify(file, catalogue[0]) == SHA256
    file.write_bytes(CONTENT[:-40])
    with pytest.raises(FormatError, match=r"has exactly 1,000,020 \(cut off"):
        pretrained.verify(file, catalogue[0])
    file.write_bytes(CONTENT[:-4] + b"\0\0\0\0")
    with pytest.raises(FormatError, match="sha256"):
        pretrained.verify(file, catalogue[0])
    file.write_bytes(b"")
    with pytest.raises(FormatError, match="too short"):
        pretrained.verify(file, catalogue[0])


def test_a_file_is_known_by_its_size(tmp_path: Path) -> None:
    file = tmp_path / "renamed"
    with file.open("wb") as sparse:
        sparse.write(WeightsHeader().to_bytes())
        sparse.truncate(170_038_676)
    found = pretrained.identify(file)
    assert found is not None and found.name == "yolov4.conv.137"
    with pytest.raises(FormatError, match=r"size of yolov4\.conv\.137"):
        pretrained.verify(file, pretrained.catalogue_entry("yolov4.weights"))
    file.write_bytes(b"x")
    assert pretrained.identify(file) is None


def test_catalogue_is_consistent() -> None:
    names = [entry.name for entry in CATALOGUE]
    assert len(set(names)) == len(names)
    for recipe in list_recipes():
        assert set(recipe.pretrained) <= set(names)
    for entry in CATALOGUE:
        assert entry.urls or entry.cut_from
        assert all(url.startswith("https://") for url in entry.urls)
        assert entry.sha256 is None or re.fullmatch("[0-9a-f]{64}", entry.sha256)
        assert (entry.size - 20) % 4 == 0
        assert entry.cut_from is None or entry.layers is not None
        assert entry.cut_from is None or pretrained.catalogue_entry(entry.cut_from).size > entry.size
    with pytest.raises(UnsupportedError, match=r"yolov4\.conv\.137"):
        pretrained.catalogue_entry("yolov9.weights")


def test_default_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("DARKNET_BRIDGE_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert pretrained.default_folder() == tmp_path / "darknet-bridge" / "pretrained"
    monkeypatch.setenv("DARKNET_BRIDGE_CACHE", str(tmp_path / "mine"))
    assert pretrained.default_folder() == tmp_path / "mine"
    assert not any(tmp_path.iterdir()), "asking where makes nothing"


def test_importing_opens_no_connection() -> None:
    assert callable(downloads.download)
    script = (
        "import socket, sys\n"
        "def refuse(*a, **k): raise SystemExit('a socket was opened')\n"
        "socket.socket.connect = refuse\n"
        "import darknet_bridge.recipes.pretrained, darknet_bridge.recipes, darknet_bridge.formats\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
