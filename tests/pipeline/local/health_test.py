import shutil
import sqlite3

import pytest
from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2

from pipeline.local import health, store


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with one execution and its artifact."""
    out = tmp_path_factory.mktemp("made")
    connection = metadata_store_pb2.ConnectionConfig()
    connection.sqlite.filename_uri = str(out / "metadata.sqlite")
    records = metadata_store.MetadataStore(connection)
    kind = records.put_execution_type(metadata_store_pb2.ExecutionType(name="Trainer"))
    for _ in range(40):
        execution = metadata_store_pb2.Execution(type_id=kind)
        execution.custom_properties["text"].string_value = "x" * 500
        [last] = records.put_executions([execution])
    assert last == 40
    (out / "pipeline_root" / "Trainer" / "model" / "40").mkdir(parents=True)
    return out


@pytest.fixture
def out(made, tmp_path):
    return shutil.copytree(made, tmp_path / "out")


def test_what_is_whole_passes(out, tmp_path):
    health.check(out)
    health.check(tmp_path)


def test_a_store_whose_artifacts_are_gone_passes(out):
    # Such artifacts are marked deleted, and the nodes run again: see `trust`.
    shutil.rmtree(out / "pipeline_root")
    health.check(out)


def _empty(file):
    file.write_bytes(b"")


def _no_database(file):
    file.write_bytes(b"not a database" * 100)


def _header(file):
    content = bytearray(file.read_bytes())
    content[16:40] = bytes(24)
    file.write_bytes(content)


def _cut(file):
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def _middle(file):
    content = bytearray(file.read_bytes())
    content[8192 : 8192 + 60_000] = b"\xa5" * 60_000
    file.write_bytes(content)


def _other_schema(file):
    file.unlink()
    with sqlite3.connect(file) as database:
        database.execute("CREATE TABLE Execution (id INTEGER)")


def _folder(file):
    file.unlink()
    file.mkdir()


def _older(file):
    with sqlite3.connect(file) as database:
        database.execute("DELETE FROM Execution WHERE id > 7")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_empty, "is empty, but"),
        (lambda file: file.unlink(), "is not there, but"),
        (_no_database, "is damaged: file is not a database"),
        (_header, "is damaged"),
        (_cut, "is damaged"),
        (_middle, "is damaged"),
        (_other_schema, "must be ML Metadata's; it has no table Artifact"),
        (_folder, "is damaged: unable to open"),
        (_older, "execution 40, but .* knows only 7 executions"),
    ],
)
def test_damage_is_named_with_the_way_out(out, damage, said):
    (out / "serving" / "7").mkdir(parents=True)
    damage(out / "metadata.sqlite")
    with pytest.raises(health.Damaged, match=f"{said}.*--fresh-metadata"):
        health.check(out)
    target = health.set_aside(out)
    health.check(out)
    assert (out / "serving" / "7").is_dir()
    assert (target / "pipeline_root" / "Trainer" / "model" / "40").is_dir()
    assert not (out / "pipeline_root").exists()


@pytest.mark.parametrize("damage", [_empty, _no_database, _cut, _other_schema])
def test_what_only_reads_names_the_damage_too(out, damage):
    damage(out / "metadata.sqlite")
    with pytest.raises(ValueError, match=r"metadata\.sqlite cannot be read"):
        store.Store(out)


def test_setting_aside_twice_in_a_second_overwrites_nothing(out):
    first = health.set_aside(out)
    (out / "pipeline_root").mkdir()
    second = health.set_aside(out)
    assert first != second
    assert (first / "metadata.sqlite").exists()
    assert health.set_aside(out) is None
