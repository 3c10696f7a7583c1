import contextlib
import errno
import functools
import gzip
import hashlib
import http.server
import io
import os
import pathlib
import subprocess
import sys
import threading
import zipfile

import pytest

from pipeline.data import catalogue, downloads
from pipeline.data.synthetic import SyntheticConfig

RATINGS = "1::10::5::100\n"


class Bar:
    """A progress bar that records its updates."""

    def __init__(self, description=""):
        self.description, self.total, self.done, self.closed = description, 0, 0, False

    def update(self, amount):
        self.done += amount

    def reset(self):
        self.done = 0

    def close(self):
        self.closed = True


@contextlib.contextmanager
def _server(folder):
    handler = functools.partial(QuietHandler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


def _zip(entries):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in entries.items():
            archive.writestr(name, text)
    return content.getvalue()


ML_1M = {
    "ml-1m/README": "terms",
    "ml-1m/ratings.dat": RATINGS,
    "ml-1m/movies.dat": b"10::Caf\xe9 (1999)::Drama\n",
    "ml-1m/users.dat": "not needed",
}


@pytest.fixture
def publish(tmp_path, monkeypatch):
    """Returns a function that puts an archive on a server, under its checksum."""
    folder = tmp_path / "server"
    folder.mkdir()
    with _server(folder) as url:

        def put(entries, name="ml-1m"):
            content = entries if isinstance(entries, bytes) else _zip(entries)
            (folder / f"{name}.zip").write_bytes(content)
            md5 = hashlib.md5(content).hexdigest()
            monkeypatch.setitem(catalogue.MOVIELENS, name, md5)
            return url

        yield put


def _resolve(name, tmp_path, **kwargs):
    kwargs = {"cache_dir": tmp_path / "cache", "make_bar": Bar} | kwargs
    return catalogue.resolve(name, **kwargs)


def _left_in(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_downloads_and_unpacks_once(tmp_path, publish, capsys):
    url = publish(ML_1M)
    bars = []

    def make_bar(description):
        bars.append(Bar(description))
        return bars[-1]

    found = _resolve("ml-1m", tmp_path, base_url=url, make_bar=make_bar)
    assert found.path == tmp_path / "cache" / "ml-1m" / "ratings.dat"
    assert found.path.read_text() == RATINGS
    assert catalogue.read_titles(found.titles) == {"10": "Café (1999)"}
    assert _left_in(tmp_path / "cache") == [
        "ml-1m/README",
        "ml-1m/movies.dat",
        "ml-1m/ratings.dat",
    ]
    size = len(_zip(ML_1M))
    assert [(b.description, b.total, b.done, b.closed) for b in bars] == [
        ("ml-1m.zip", size, size, True)
    ]
    assert "for research" in capsys.readouterr().err

    unreachable = "http://127.0.0.1:9/"
    again = _resolve("ml-1m", tmp_path, base_url=unreachable, make_bar=make_bar)
    assert again == found
    assert len(bars) == 1
    assert capsys.readouterr().err == ""


def test_the_bar_is_shown_on_standard_error(tmp_path, publish, capsys):
    url = publish(ML_1M)
    _resolve("ml-1m", tmp_path, base_url=url, make_bar=downloads.RichBar)
    shown = capsys.readouterr()
    assert "ml-1m.zip" in shown.err
    assert "100%" in shown.err
    assert shown.out == ""


def test_folder_of_another_name_in_the_archive(tmp_path, publish):
    url = publish({"ml-10M100K/ratings.dat": RATINGS}, "ml-10m")
    found = _resolve("ml-10m", tmp_path, base_url=url)
    assert found.path == tmp_path / "cache" / "ml-10m" / "ratings.dat"


def test_wrong_checksum(tmp_path, publish, monkeypatch):
    url = publish(ML_1M)
    monkeypatch.setitem(catalogue.MOVIELENS, "ml-1m", "0" * 32)
    with pytest.raises(ValueError, match=r"does not match .* expected md5:0000"):
        _resolve("ml-1m", tmp_path, base_url=url)
    assert _left_in(tmp_path / "cache") == []


def test_no_published_checksum_but_a_damaged_archive(tmp_path, publish, monkeypatch):
    content = _zip({"ml-latest-small/ratings.csv": "userId,movieId\n" * 999})
    url = publish(content[:-30], "ml-latest-small")
    monkeypatch.setitem(catalogue.MOVIELENS, "ml-latest-small", None)
    with pytest.raises(ValueError, match="must be a complete zip file"):
        _resolve("ml-latest-small", tmp_path, base_url=url)
    assert _left_in(tmp_path / "cache") == []
    publish(content, "ml-latest-small")
    monkeypatch.setitem(catalogue.MOVIELENS, "ml-latest-small", None)
    assert _resolve("ml-latest-small", tmp_path, base_url=url).path.exists()


def test_entry_that_is_damaged_inside(tmp_path, publish):
    content = bytearray(_zip({"ml-1m/ratings.dat": RATINGS * 99}))
    content[60] ^= 0xFF
    url = publish(bytes(content))
    with pytest.raises(ValueError, match="must be a complete zip file"):
        _resolve("ml-1m", tmp_path, base_url=url)
    assert _left_in(tmp_path / "cache") == []


@pytest.mark.parametrize(
    "entry", ["../ratings.dat", "/ratings.dat", "ml-1m/../../x", "..\\x", "C:\\x"]
)
def test_entry_outside_the_target(tmp_path, publish, entry):
    url = publish(ML_1M | {entry: "evil"})
    with pytest.raises(ValueError, match="inside the archive's folder; got"):
        _resolve("ml-1m", tmp_path, base_url=url)
    assert _left_in(tmp_path / "cache") == []
    assert not list(tmp_path.glob("**/x"))


def test_archive_without_ratings(tmp_path, publish):
    url = publish({"ml-1m/users.dat": "x"})
    with pytest.raises(ValueError, match=r"must hold one of .* it has \['users.dat'\]"):
        _resolve("ml-1m", tmp_path, base_url=url)


@pytest.mark.parametrize("base_url", ["http://127.0.0.1:9/", None])
def test_out_of_reach(tmp_path, base_url):
    """Nobody listens at the first address; the second has no such file."""
    expected = pytest.raises(ValueError, match="could not be fetched")
    with _server(tmp_path) as url, expected as caught:
        _resolve("ml-1m", tmp_path, data_dir=tmp_path, base_url=base_url or url)
    said = str(caught.value)
    assert f"Put its files into {tmp_path / 'ml-1m'}" in said
    assert "ml-1m.zip" in said


@pytest.mark.parametrize(
    "file", ["ml-1m/ratings.dat", "ml-1m/ratings.csv", "ml-1m/ratings.csv.gz"]
)
def test_found_in_the_data_folder(tmp_path, file):
    path = tmp_path / "data" / file
    path.parent.mkdir(parents=True)
    path.touch()
    (path.parent / "movies.csv").touch()
    expected = catalogue.Dataset("ml-1m", path, path.parent / "movies.csv")
    assert _resolve("ml-1m", tmp_path, data_dir=tmp_path / "data") == expected
    # The data set's own folder will do as well.
    assert _resolve("ml-1m", tmp_path, data_dir=path.parent) == expected


def test_data_folder_comes_before_the_cache(tmp_path):
    for place in ("cache", "data"):
        (tmp_path / place / "ml-10M100K").mkdir(parents=True)
        (tmp_path / place / "ml-10M100K" / "ratings.dat").touch()
    found = _resolve("ml-10m", tmp_path, data_dir=tmp_path / "data")
    assert found.path == tmp_path / "data" / "ml-10M100K" / "ratings.dat"
    assert _resolve("ml-10m", tmp_path).path.parts[-3] == "cache"


def test_archive_in_the_data_folder(tmp_path):
    (tmp_path / "ml-1m.zip").write_bytes(_zip(ML_1M))
    found = _resolve("ml-1m", tmp_path, data_dir=tmp_path)
    assert found.path == tmp_path / "cache" / "ml-1m" / "ratings.dat"


def test_data_folder_must_exist(tmp_path):
    with pytest.raises(ValueError, match="must exist; there is no"):
        _resolve("ml-1m", tmp_path, data_dir=tmp_path / "absent")


def test_own_file(tmp_path):
    path = tmp_path / "my.log.csv.gz"
    path.touch()
    found = _resolve(str(path), tmp_path)
    assert (found.name, found.path) == ("my.log", path)
    (tmp_path / "movies.csv").touch()  # It may belong to other data.
    assert _resolve(str(path), tmp_path).titles is None


def test_movielens_own_file_has_the_titles_beside_it(tmp_path):
    (tmp_path / "ratings.csv").touch()
    (tmp_path / "movies.csv").touch()
    found = _resolve(str(tmp_path / "ratings.csv"), tmp_path)
    assert found.titles == tmp_path / "movies.csv"


def test_files_of_one_name_in_two_folders_are_told_apart(tmp_path):
    found = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "sales.2024.csv").touch()
        found.append(_resolve(str(tmp_path / name / "sales.2024.csv"), tmp_path))
    assert found[0].name == found[1].name == "sales.2024"
    assert found[0].key != found[1].key
    again = _resolve(str(tmp_path / "b" / ".." / "a" / "sales.2024.csv"), tmp_path)
    assert again.key == found[0].key


def test_own_folder(tmp_path):
    folder = tmp_path / "parts"
    folder.mkdir()
    (folder / "1.csv").touch()
    found = _resolve(str(folder), tmp_path)
    assert (found.name, found.path) == ("parts", folder)
    (folder / "u.data").touch()
    assert _resolve(str(folder), tmp_path).path == folder / "u.data"


def test_closed_folder(tmp_path, monkeypatch):
    def closed(path):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(pathlib.Path, "is_file", closed)
    with pytest.raises(ValueError, match=f"{tmp_path}: cannot be read: Permission"):
        _resolve(str(tmp_path), tmp_path)


def test_no_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"must be one of .* got ''"):
        _resolve("", tmp_path)


def test_unknown_name(tmp_path):
    with pytest.raises(ValueError, match=r"ml1m.*Did you mean 'ml-1m'"):
        _resolve("ml1m", tmp_path)
    with pytest.raises(ValueError, match="File name too long") as refused:
        _resolve("x" * 5000, tmp_path)
    assert len(str(refused.value)) < 300
    with pytest.raises(ValueError, match="must be on this machine"):
        _resolve("gs://bucket/r.csv", tmp_path)


def test_synthetic_is_made_once(tmp_path):
    config = SyntheticConfig(num_users=5, num_items=10, num_interactions=20)
    bars = []

    def make_bar(description):
        bars.append(Bar(description))
        return bars[-1]

    found = _resolve("synthetic", tmp_path, synthetic=config, make_bar=make_bar)
    again = _resolve("synthetic", tmp_path, synthetic=config, make_bar=make_bar)
    assert found == again
    assert found.path.stat().st_size > 0
    assert [(b.total, b.done, b.closed) for b in bars] == [(20, 20, True)]


FILES = {
    "u.item": b"7|Mis\xe9rables, Les (1995)|01-Jan-1995||http://x|0\n8|B (1996)|||\n",
    "movies.dat": b"7::Mis\xe9rables, Les (1995)::Drama\n8::B (1996)::Comedy\n",
    "movies.csv": 'movieId,title\n7,"Misérables, Les (1995)"\n8,B (1996)\n',
    "x.item": "item_id:token\tmovie_title:token_seq\trelease_year:token\n"
    "7\tMisérables, Les\t1995\n8\tB\t1996\n",
}


@pytest.mark.parametrize("name", FILES)
def test_titles(tmp_path, name):
    content = FILES[name]
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    expected = {"7": "Misérables, Les (1995)", "8": "B (1996)"}
    assert catalogue.read_titles(path) == expected


@pytest.mark.parametrize(
    "content", [b"not packed", gzip.compress(b"1::a\n", mtime=0)[:-9]]
)
def test_titles_that_cannot_be_unpacked(tmp_path, content):
    (tmp_path / "movies.dat.gz").write_bytes(content)
    with pytest.raises(
        ValueError, match=r"movies\.dat\.gz: must be a complete gzip file"
    ):
        catalogue.read_titles(tmp_path / "movies.dat.gz")


def test_title_that_is_missing(tmp_path):
    path = tmp_path / "movies.dat"
    path.write_text("7::A\n8\n")
    with pytest.raises(ValueError, match="row 2 of titles: must have an item id and"):
        catalogue.read_titles(path)


def test_imports_neither_tfx_nor_tensorflow():
    script = (
        "import sys; from pipeline.data import catalogue; "
        "print({'tfx', 'tensorflow', 'apache_beam', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


def test_data_of_this_project(data_dir):
    for name, file in (("ml-100k", "u.data"), ("ml-1m", "ratings.csv.gz")):
        if not (data_dir / name / file).exists():
            pytest.skip(f"needs {data_dir / name / file}")
        found = catalogue.resolve(name, data_dir=pathlib.Path(data_dir))
        assert found.path == data_dir / name / file
        titles = catalogue.read_titles(found.titles)
        assert titles["1"] == "Toy Story (1995)"
