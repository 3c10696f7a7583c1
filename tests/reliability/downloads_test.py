"""A download that fails leaves nothing or the whole data set, never a part of it."""

import concurrent.futures
import contextlib
import hashlib
import http.server
import io
import os
import subprocess
import threading
import time
import zipfile

import pytest

from pipeline.data import catalogue, downloads
from tests.reliability import killing

RATINGS = b"1::10::5::100\n" * 2000
WANTED = ("ratings.dat", "README")


class Bar:
    total = 0

    def __init__(self, description=""):
        pass

    def update(self, amount):
        pass

    reset = close = lambda self: None


def _archive(content=RATINGS):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        # A ZipInfo has a fixed date, so that every archive has the same bytes.
        archive.writestr(zipfile.ZipInfo("ml-1m/ratings.dat"), content)
        archive.writestr(zipfile.ZipInfo("ml-1m/README"), "terms")
    return packed.getvalue()


class _Handler(http.server.BaseHTTPRequestHandler):
    """Answers requests as the server's `answer` says.

    The answer is the whole file, a damaged or incomplete one, a redirection to the same
    address, or an error.
    """

    def do_GET(self):
        answer, content = self.server.answer, _archive()
        self.server.asked += 1
        if answer == "loop":
            self.send_response(302)
            self.send_header("Location", self.path)
            self.end_headers()
            return
        if answer == "error":
            self.send_error(503)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if answer == "flipped":
            content = content[:40] + bytes([content[40] ^ 1]) + content[41:]
        self.wfile.write(content[: len(content) // 2 if answer == "cut" else None])

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    digest = hashlib.md5(_archive()).hexdigest()
    monkeypatch.setitem(catalogue.MOVIELENS, "ml-1m", digest)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.answer, server.asked = "whole", 0
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def _resolve(server, cache):
    url = f"http://127.0.0.1:{server.server_port}/"
    return catalogue.resolve("ml-1m", cache_dir=cache, base_url=url, make_bar=Bar)


@pytest.mark.parametrize("answer", ["loop", "error", "cut", "flipped"])
def test_a_download_that_fails_leaves_nothing(tmp_path, server, answer):
    server.answer = answer
    with pytest.raises(ValueError, match="ml-1m") as caught:
        _resolve(server, tmp_path / "cache")
    assert len(str(caught.value)) < 2000
    assert server.asked < 50
    assert list((tmp_path / "cache").iterdir()) == []
    server.answer = "whole"
    assert _resolve(server, tmp_path / "cache").path.read_bytes() == RATINGS


def test_several_at_once(tmp_path, server):
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        done = [pool.submit(_resolve, server, tmp_path / "cache") for _ in range(8)]
        paths = {future.result().path for future in done}
    assert [path.read_bytes() for path in paths] == [RATINGS]
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["ml-1m"]


def test_killed_while_it_unpacks(tmp_path):
    archive, cache = tmp_path / "ml-1m.zip", tmp_path / "cache"
    archive.write_bytes(_archive())
    kills = 0
    for _ in killing.at_every_change(
        lambda _: downloads.unpack(archive, cache / "ml-1m", wanted=WANTED),
        below=str(cache),
    ):
        kills += 1
        if (cache / "ml-1m").exists():
            assert (cache / "ml-1m" / "ratings.dat").read_bytes() == RATINGS
    assert kills >= 4
    assert (cache / "ml-1m" / "ratings.dat").read_bytes() == RATINGS
    # A day later the files that killed downloads left are removed, and nothing else.
    left = list(cache.glob(".unpack-*"))
    assert left
    for path in left:
        os.utime(path, (0, time.time() - 100_000))
    downloads.unpack(archive, cache / "again", wanted=WANTED)
    assert sorted(path.name for path in cache.iterdir()) == ["again", "ml-1m"]


def test_a_full_disk(tmp_path):
    archive, cache = tmp_path / "ml-1m.zip", tmp_path / "cache"
    archive.write_bytes(_archive(os.urandom(1 << 20)))
    cache.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=400k", "none", str(cache)]
    with contextlib.ExitStack() as stack:
        if subprocess.run(mount, capture_output=True).returncode:
            pytest.skip("needs the right to mount a tmpfs")
        stack.callback(subprocess.run, ["umount", "-l", str(cache)], check=True)
        with pytest.raises(OSError, match="No space left on device"):
            downloads.unpack(archive, cache / "ml-1m", wanted=WANTED)
        assert list(cache.iterdir()) == []
