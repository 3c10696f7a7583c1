import hashlib
import os
import pathlib
import subprocess
import sys
import zipfile

import pytest

from pipeline.data import catalogue, downloads

ROOT = pathlib.Path(__file__).resolve().parents[3]
UNREACHABLE = "http://127.0.0.1:9/"
CONTENT = {
    "ml-100k.inter": b"user_id:token\titem_id:token\n196\t242\n",
    "ml-100k.item": b"item_id:token\tmovie_title:token_seq\trelease_year:token\n",
}


@pytest.fixture
def index(tmp_path, monkeypatch):
    """Makes pip and uv look for packages in one folder, which holds a small recbole."""
    folder = tmp_path / "index"
    folder.mkdir()
    metadata = "recbole-1.2.0.dist-info/"
    entries = {f"recbole/dataset_example/ml-100k/{n}": c for n, c in CONTENT.items()}
    entries |= {
        metadata
        + "METADATA": b"Metadata-Version: 2.1\nName: recbole\nVersion: 1.2.0\n",
        metadata + "WHEEL": b"Wheel-Version: 1.0\nGenerator: test\n"
        b"Root-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = metadata + "RECORD"
    entries[record] = "".join(f"{name},,\n" for name in [*entries, record]).encode()
    with zipfile.ZipFile(folder / "recbole-1.2.0-py3-none-any.whl", "w") as wheel:
        for name, content in entries.items():
            wheel.writestr(name, content)
    settings = {
        "PIP_FIND_LINKS": str(folder),
        "PIP_NO_INDEX": "1",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_CACHE_DIR": "1",
        "UV_FIND_LINKS": str(folder),
        "UV_DEFAULT_INDEX": folder.as_uri(),
        "UV_NO_CONFIG": "1",
        "UV_NO_CACHE": "1",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    digests = {name: hashlib.sha256(c).hexdigest() for name, c in CONTENT.items()}
    monkeypatch.setattr(downloads, "_WHEEL_SHA256", digests)
    return folder


def _resolve(tmp_path):
    return catalogue.resolve(
        "ml-100k", cache_dir=tmp_path / "cache", base_url=UNREACHABLE
    )


def test_ml_100k_falls_back_to_the_wheel(tmp_path, index, capsys):
    found = _resolve(tmp_path)
    folder = tmp_path / "cache" / "ml-100k"
    assert found.path == folder / "ml-100k.inter"
    assert found.titles == folder / "ml-100k.item"
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == CONTENT
    assert list((tmp_path / "cache").iterdir()) == [folder]
    said = capsys.readouterr().err
    assert "from the wheel recbole==1.2.0" in said
    assert "for research" in said


def test_each_way_to_the_wheel_gets_it(tmp_path, index):
    commands = list(downloads._wheel_commands("{}"))
    assert commands
    for number, command in enumerate(commands):
        target = tmp_path / str(number)
        target.mkdir()
        command = [str(target) if part == "{}" else part for part in command]
        assert downloads._run(command) is None, command
        assert downloads._wheel_files(target) == CONTENT


def test_wheel_of_other_content(tmp_path, index, monkeypatch):
    digests = dict.fromkeys(CONTENT, "0" * 64)
    monkeypatch.setattr(downloads, "_WHEEL_SHA256", digests)
    with pytest.raises(ValueError, match="must have the SHA-256 0000"):
        _resolve(tmp_path)
    assert list((tmp_path / "cache").iterdir()) == []


def test_no_wheel(tmp_path, index):
    next(index.iterdir()).unlink()
    command = list(downloads._wheel_commands(str(tmp_path)))[-1]
    assert "recbole==1.2.0" in downloads._run(command)


def test_every_way_fails(tmp_path, monkeypatch):
    def fail(target):
        yield [sys.executable, "-c", "import sys; print('why'); sys.exit('so')"]
        yield [sys.executable, "-c", "import sys; print('as said'); sys.exit(2)"]
        yield [str(tmp_path / "absent")]

    monkeypatch.setattr(downloads, "_wheel_commands", fail)
    with pytest.raises(ValueError, match=r"index: so; as said; .*No such file"):
        _resolve(tmp_path)


FETCH_THEN_IMPORT = """
from pipeline.data import downloads
assert list(downloads._wheel_commands("folder"))
import distutils.core
import setuptools
"""


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="distutils went with 3.12")
def test_setuptools_can_be_imported_after_looking_for_pip():
    """TFX imports setuptools; that failed in a run that had to fetch the data set."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FETCH_THEN_IMPORT],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
