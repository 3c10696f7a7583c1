"""Runs of the toy pipeline, killed before each change of the disk and the metadata."""

import pathlib

import pytest
from tfx.orchestration import metadata

from ncf_model.serving import versions
from pipeline.local import trust
from tests.reliability import killing, scale, toy

pytestmark = pytest.mark.skipif(
    not scale.FULL, reason="takes half an hour; `make reliability` runs it"
)


def _quality(folder):
    newest = versions.newest(folder / "serving")
    content = pathlib.Path(newest.path, "saved_model.pb").read_bytes()
    return toy.unpack(content)["quality"]


def _counting(config, folder):
    def action(countdown):
        handle = metadata.Metadata
        handle.__enter__ = countdown.counted(handle.__enter__)
        trust.consists_of = countdown.counted(trust.consists_of)
        toy.run(folder, **config)

    return action


@pytest.mark.parametrize(("quality", "served"), [(4, 4), (2, 3)])
def test_killed_at_every_change(tmp_path, quality, served):
    """A better model is served in the end; a worse model is never served."""
    toy.run(tmp_path, quality=3, seed=0, code="0")
    changes = kills = 0
    while True:
        # Each run continues with what the killed one before left, and gets further.
        config = {"quality": quality, "seed": 1, "code": str(kills % 2)}
        if not killing.after_changes(
            changes, _counting(config, tmp_path), below=str(tmp_path)
        ):
            break
        kills += 1
        changes += 1
        assert not versions.look(tmp_path / "serving").broken
        assert _quality(tmp_path) in (3, served)
    assert kills > 10
    toy.run(tmp_path, quality=quality, seed=1, code="0")
    assert _quality(tmp_path) == served
    assert not list((tmp_path / "serving").glob(".ncf/staging/*"))
