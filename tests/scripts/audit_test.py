import io
import json
import urllib.error

import pytest

from scripts import audit


def _service(holes):
    """Answers as OSV does: a result per package, empty if no hole in it is known."""

    def open_url(request, timeout):
        queries = json.loads(request.data)["queries"]
        assert all(q["package"]["ecosystem"] == "PyPI" for q in queries)
        asked = [(q["package"]["name"], q["version"]) for q in queries]
        ids = [holes.get(package, []) for package in asked]
        results = [
            {"vulns": [{"id": i} for i in found]} if found else {} for found in ids
        ]
        return io.BytesIO(json.dumps({"results": results}).encode())

    return open_url


@pytest.fixture
def lock(tmp_path, monkeypatch):
    monkeypatch.setattr(audit, "LOCKS", tmp_path)
    (tmp_path / "older.txt").write_text(
        "# a comment\nB_b[x]==1.0 ; python_version < '3.11' \\\n    --hash=sha256:00\n"
        "aa==2.1 \\\n    --hash=sha256:11\n    # via b-b\n"
    )
    return tmp_path / "older.txt"


def test_reads_names_and_versions(lock):
    assert audit.pinned(lock) == [("aa", "2.1"), ("b_b", "1.0")]


@pytest.mark.parametrize("at_once", [1, 900])
def test_names_each_hole(lock, capsys, monkeypatch, at_once):
    monkeypatch.setattr(audit, "AT_ONCE", at_once)
    assert audit.main(_service({("b_b", "1.0"): ["PYSEC-2", "GHSA-1"]})) == 1
    said = "b_b 1.0: GHSA-1, PYSEC-2\naudit: 2 packages, 1 with advisories\n"
    assert capsys.readouterr().out == said
    assert audit.main(_service({("b_b", "0.9"): ["PYSEC-2"]})) == 0
    assert "2 packages, 0 with advisories" in capsys.readouterr().out


@pytest.mark.parametrize(
    "answer",
    [
        OSError("no route"),
        urllib.error.HTTPError("u", 403, "Forbidden", {}, None),
        b"{}",
    ],
)
def test_says_when_advisories_are_out_of_reach(lock, capsys, answer):
    def open_url(request, timeout):
        if isinstance(answer, Exception):
            raise answer
        return io.BytesIO(answer)

    assert audit.main(open_url) == 0
    assert "audit: not done, https://api.osv.dev" in capsys.readouterr().out
