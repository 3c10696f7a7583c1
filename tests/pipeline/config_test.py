"""The configuration refuses what cannot be, and says which field it was."""

import pathlib
import subprocess
import sys

import pytest

from pipeline import config

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_overrides_win_over_the_file_and_later_ones_over_earlier(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text("train: {epochs: 3, batch_size: 512}\n")
    loaded = config.load(file, ["train.epochs=4", "train.epochs=5"])
    assert (loaded.train.epochs, loaded.train.batch_size) == (5, 512)


def test_dataset_takes_the_place_of_the_files(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text("data: {dataset: ml-1m, min_rating: 3}\n")
    loaded = config.load(file, dataset="a: b.csv")
    assert (loaded.data.dataset, loaded.data.min_rating) == ("a: b.csv", 3)


def test_lists_and_nulls_are_yaml():
    loaded = config.load(overrides=["model.layers=[32, 16]", "train.patience=null"])
    assert loaded.model.layers == (32, 16)
    assert loaded.train.patience is None


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.epoch=3", "train.epoch: no such field; did you mean `epochs`"),
        ("nonsense=3", "nonsense: no such field; known are data, "),
        ("train.epochs=0", "train.epochs: .*greater than 0; got 0"),
        ("train.learning_rate=.nan", "train.learning_rate: .*finite number"),
        ("model.layers=[63, 8]", r"must start with an even width.*got \[63, 8\]"),
        ("model.layers=[]", r"`layers` must have two widths or more.*got \[\]"),
        ("train.strategy=mirrord", "train.strategy: .*'mirrored'"),
        ("model.dropout=1", "model.dropout: .*less than 1; got 1"),
        ("seed=-1", "seed: .*greater than or equal to 0; got -1"),
        ("pipeline_name=My_Pipeline", "pipeline_name: .*got 'My_Pipeline'"),
        ("train.epochs", "must be `a.b=value`; got 'train.epochs'"),
        ("=3", "must be `a.b=value`"),
        ("seed=[", "is not valid YAML"),
    ],
)
def test_refuses(override, message):
    with pytest.raises(ValueError, match=message):
        config.load(overrides=[override])


def test_refuses_an_override_below_a_value():
    with pytest.raises(ValueError, match="`seed` is a value, not a section"):
        config.load(overrides=["seed=1", "seed.x=2"])


def test_names_the_shipped_files_when_one_is_absent():
    with pytest.raises(ValueError, match=r"No config file absent.yaml; .*'ml-1m.yaml'"):
        config.load("absent.yaml")


def test_refuses_a_file_that_is_not_a_mapping(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text("- 1\n")
    with pytest.raises(ValueError, match="got a list"):
        config.load(file)


@pytest.mark.parametrize(
    "name", sorted(f.name for f in (ROOT / "pipeline" / "configs").glob("*.yaml"))
)
def test_shipped_files_are_valid(name):
    config.load(name)


def test_needs_no_tensorflow():
    """A wrong value must not cost ten seconds of imports."""
    check = (
        "import sys; from pipeline import config; config.load(); "
        "heavy = {'tensorflow', 'tfx', 'apache_beam'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


QUERY = "SELECT user, item, timestamp FROM d.t"


def test_bigquery_takes_the_place_of_a_file():
    data = config.load(None, ["data.source=bigquery", f"data.query={QUERY!r}"]).data
    assert data.location == f"bigquery:{QUERY}"
    assert data.name == "bigquery"
    assert config.load(None, ["data.dataset=ml-1m"]).data.location == "ml-1m"


@pytest.mark.parametrize("override", ["data.source=bigquery", "data.query=SELECT 1"])
def test_query_and_source_belong_together(override):
    with pytest.raises(ValueError, match="`query` and `source: bigquery` must be set"):
        config.load(None, [override])
