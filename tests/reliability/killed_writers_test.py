"""A writer that is killed before any of its changes of the disk leaves all or nothing.

The writers are Pusher, which copies models, and those of reports, checkpoints and
titles. After any kill readers see the old state or the new one, and when the writer
runs again they see the new one.
"""

import json

import numpy as np
import pytest
import tensorflow as tf

from ncf_model.serving import folders, versions
from ncf_model.training.checkpoint import Checkpoint
from pipeline.data import titles
from pipeline.local import health, report
from tests.reliability import killing


def _model(folder, content):
    files = {
        "saved_model.pb": b"\x12" + bytes([len(content)]) + content,
        "variables/variables.index": b"index" + content,
        "variables/variables.data-00000-of-00001": content * 10_000,
        "assets/ids.txt": content,
    }
    for name, value in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(value)
    return folder


@pytest.mark.parametrize("keep", [None, 2])
def test_push(tmp_path, keep):
    old, new = (_model(tmp_path / name, name.encode()) for name in ("old", "new"))
    older = _model(tmp_path / "older", b"older")
    serving = tmp_path / "serving"
    versions.push(serving, older)
    first = versions.push(serving, old).version
    digest = folders.digest(str(new))
    kills = 0
    whole = False
    for changes in killing.at_every_change(
        lambda _: versions.push(serving, new, keep=keep), below=str(serving)
    ):
        kills += 1
        found = versions.look(serving)
        assert not found.broken, changes
        newest = versions.newest(serving)
        assert folders.digest(newest.path) in (digest, folders.digest(str(old)))
        # Once the new model is there, it stays, and is not pushed under another number.
        is_new = folders.digest(newest.path) == digest
        assert is_new >= whole
        whole = is_new
        assert not found.foreign
    assert kills > 10
    pushed = versions.push(serving, new, keep=keep).version
    found = versions.look(serving)
    assert versions.newest(serving) == pushed
    assert [v.number for v in found.versions][:2] == [pushed.number, first.number]
    assert len(found.versions) == (keep or 3)
    leftovers = [*serving.glob(".ncf/staging/*"), *serving.glob(".ncf/trash/*")]
    assert not leftovers


def test_report(tmp_path):
    out, node = tmp_path / "out", tmp_path / "node"
    for folder in (out / "report", node):
        folder.mkdir(parents=True)
    (out / "report" / "summary.json").write_text('"old"')
    (node / "summary.json").write_text('"of the node"')
    (node / "index.html").write_text("of the node")

    def finish(folder):
        for name, text in (("summary.json", '"new"'), ("index.html", "new")):
            (folder / name).write_text(text)

    def seen():
        file = out / "report" / "summary.json"
        return json.loads(file.read_text()) if file.exists() else None

    states = []
    for _ in killing.at_every_change(
        lambda _: report.place(str(node), out, finish), below=str(out)
    ):
        states.append(seen())
        if states[-1] is not None:
            page = out / "report" / "index.html"
            assert states[-1] == "old" or page.read_text() == "new"
    assert len(states) > 5
    assert {"old", "new"} >= set(states) - {None}
    assert seen() == "new"
    assert sorted(path.name for path in out.iterdir()) == ["report"]


def test_titles(tmp_path):
    titles.write({"1": "old"}, tmp_path)
    seen = set()
    for _ in killing.at_every_change(
        lambda _: titles.write({"1": "new"}, tmp_path), below=str(tmp_path)
    ):
        seen.add((tmp_path / titles.FILE_NAME).read_text())
    assert seen == {"item_id,title\n1,old\n"}
    assert (tmp_path / titles.FILE_NAME).read_text() == "item_id,title\n1,new\n"


def test_records_set_aside(tmp_path):
    """After a kill no run uses what is left; a second command sets all aside."""
    artifact = tmp_path / "pipeline_root" / "Trainer" / "model" / "1" / "a"
    artifact.parent.mkdir(parents=True)
    (tmp_path / "serving").mkdir()
    for name in ("metadata.sqlite", "report", "serving/1", str(artifact)):
        (tmp_path / name).write_text(name)
    kills = 0
    for _ in killing.at_every_change(
        lambda _: health.set_aside(tmp_path), below=str(tmp_path)
    ):
        kills += 1
        with pytest.raises(health.Damaged, match="--fresh-metadata"):
            health.check(tmp_path)
        # The records are moved first, because with them TFX would use what is left.
        left = {path.name for path in tmp_path.iterdir()}
        assert "metadata.sqlite" not in left or left >= {"pipeline_root", "report"}
    assert kills >= 3
    health.check(tmp_path)
    left = {path.name for path in tmp_path.iterdir()}
    aside = {name for name in left if name.startswith("before-")}
    assert left - aside == {"serving"}
    found = sorted(
        path.name for path in tmp_path.glob("before-*/**/*") if path.is_file()
    )
    assert found == ["a", "metadata.sqlite", "report"]


class _Counted(tf.io.gfile.GFile):
    """A file whose process may also die in the middle of a write.

    Half of the content is then on the disk.
    """

    countdown = None

    def write(self, content):
        half = len(content) // 2
        super().write(content[:half])
        self.flush()
        self.countdown.step()
        super().write(content[half:])


def test_checkpoint(tmp_path):
    saved = Checkpoint(str(tmp_path), "identity")
    saved.save({"epoch": 1}, {"loop": [np.full(5000, 1)]})

    def save(countdown):
        gfile = tf.io.gfile
        _Counted.countdown = countdown
        gfile.GFile = _Counted
        for name in ("makedirs", "rename", "remove"):
            setattr(gfile, name, countdown.counted(getattr(gfile, name)))
        saved.save({"epoch": 2}, {"loop": [np.full(5000, 2)]})

    kills = 0
    for _ in killing.at_every_change(save, below=str(tmp_path)):
        kills += 1
        info, arrays = saved.load()
        assert info["epoch"] == arrays["loop"][0][0] == 1
    assert kills >= 3
    assert saved.load()[0] == {"epoch": 2}
