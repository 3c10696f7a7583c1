import io
import json
import urllib.error

import pytest

from scripts import audit

HOLE = {"id": "PYSEC-1", "fixed_in": ["2.0"], "withdrawn": None}


def _service(holes):
    asked = []

    def open_url(url, timeout):
        asked.append(url)
        name = url.split("/")[-3]
        found = holes.get(name, [])
        return io.BytesIO(json.dumps({"vulnerabilities": found}).encode())

    open_url.asked = asked
    return open_url


@pytest.fixture()
def lock(tmp_path, monkeypatch):
    monkeypatch.setattr(audit, "LOCKS", tmp_path)
    (tmp_path / "older.txt").write_text(
        "# a comment\nB_b[x]==1.0 ; python_version < '3.11' \\\n    --hash=sha256:00\n"
        "aa==2.1 \\\n    --hash=sha256:11\n    # via b-b\n"
    )
    return tmp_path / "older.txt"


def test_reads_names_and_versions(lock):
    assert audit.pinned(lock) == [("aa", "2.1"), ("b_b", "1.0")]


def test_names_each_hole(lock, capsys):
    withdrawn = HOLE | {"id": "PYSEC-2", "withdrawn": "2026-01-01"}
    service = _service({"b_b": [HOLE, withdrawn]})
    assert audit.main(service) == 1
    assert "b_b 1.0: PYSEC-1, mended in 2.0\n" in capsys.readouterr().out
    assert "https://pypi.org/pypi/b_b/1.0/json" in service.asked
    assert audit.main(_service({})) == 0
    assert "2 packages, 0 advisories" in capsys.readouterr().out


@pytest.mark.parametrize(
    "error",
    [OSError("no route"), urllib.error.HTTPError("u", 403, "Forbidden", {}, None)],
)
def test_says_when_advisories_are_out_of_reach(lock, capsys, error):
    def open_url(url, timeout):
        raise error

    assert audit.main(open_url) == 0
    assert "audit: not done, advisories are out of reach" in capsys.readouterr().out


def test_a_package_that_pypi_does_not_have(lock):
    def open_url(url, timeout):
        raise urllib.error.HTTPError(url, 404, "Not Found", {}, None)

    assert audit.main(open_url) == 0
