"""The cache of what was read from code files: right, or computed anew."""

import pytest

from pipeline import code_cache, code_digest


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def _cache(rule="r"):
    """Returns a cache, as of a new process, and the contents that it computed."""
    computed = []

    def compute(content):
        computed.append(content)
        return [content.decode().upper()]

    return code_cache.Cache(compute, rule), computed


def _fill():
    cache, _ = _cache()
    assert (cache(b"a"), cache(b"b")) == (["A"], ["B"])
    cache.save()


def test_what_one_process_computed_the_next_one_knows():
    _fill()
    cache, computed = _cache()
    assert (cache(b"b"), cache(b"c"), cache(b"c")) == (["B"], ["C"], ["C"])
    assert computed == [b"c"]


def test_another_rule_takes_nothing_over():
    _fill()
    cache, computed = _cache("another rule")
    assert cache(b"a") == ["A"]
    assert computed == [b"a"]


def test_a_damaged_file_is_never_believed():
    _fill()
    whole = code_cache.path().read_bytes()
    damaged = [whole[:end] for end in range(0, len(whole), 7)]
    damaged += [
        whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
        for place in range(len(whole))
    ]
    for content in damaged:
        code_cache.path().write_bytes(content)
        cache, computed = _cache()
        assert cache(b"a") == ["A"]
        assert computed == [b"a"], content


def test_works_where_nothing_can_be_written(folder):
    (folder / "ncf").write_text("a file where the folder should be")
    _fill()


def test_a_digest_is_the_same_with_and_without_the_cache():
    name = "components.report.executor"
    found = []
    for _ in range(2):
        code_digest._read.cache_clear()
        code_digest._parsed._known = None
        found.append(code_digest.digest([name]))
    assert code_cache.path().is_file()
    assert found[0] == found[1]
