"""The free memory is the machine's, or the container's if that is less."""

import types

import pytest

from pipeline.local.beam import free_memory


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """Returns a folder of control groups, on a machine with 1,000 free bytes."""
    monkeypatch.setattr(free_memory, "_GROUPS", tmp_path)
    machine = types.SimpleNamespace(available=1_000)
    monkeypatch.setattr(free_memory.psutil, "virtual_memory", lambda: machine)
    return tmp_path


@pytest.mark.parametrize(
    ("limit", "used", "free"),
    [
        ("900\n", "500\n", 450),  # 50 of the 500 are files that nobody uses.
        ("5000\n", "500\n", 1_000),
        ("max\n", "500\n", 1_000),
        ("400\n", "500\n", 0),
    ],
)
def test_a_container_of_version_2(groups, limit, used, free):
    (groups / "memory.max").write_text(limit)
    (groups / "memory.current").write_text(used)
    (groups / "memory.stat").write_text("anon 450\ninactive_file 50\nactive_file 0\n")
    assert free_memory.free_bytes() == free


@pytest.mark.parametrize(("limit", "free"), [(900, 450), (2**63 - 4096, 1_000)])
def test_a_container_of_version_1(groups, limit, free):
    (groups / "memory").mkdir()
    (groups / "memory" / "memory.limit_in_bytes").write_text(f"{limit}\n")
    (groups / "memory" / "memory.usage_in_bytes").write_text("500\n")
    stat = "inactive_file 20\ntotal_inactive_file 50\n"
    (groups / "memory" / "memory.stat").write_text(stat)
    assert free_memory.free_bytes() == free


def test_no_container(groups):
    assert free_memory.free_bytes() == 1_000
