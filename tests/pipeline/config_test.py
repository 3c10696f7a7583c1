"""The configuration refuses invalid values, and names the field."""

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
        ("train.epochs=0", "train.epochs: .*greater than or equal to 1; got 0"),
        ("model.mf_dim=1000000000", "model.mf_dim: .*less than or equal to 65536"),
        ("model.layers=[64, 99999]", "model.layers.1: .*less than or equal to 65536"),
        (f"sampling.num_negatives={2**63}", "num_negatives: .*less than or equal to"),
        (f"sampling.eval_negatives={2**63}", "eval_negatives.*less than or equal to"),
        (
            "sampling.popularity_alpha=70",
            "popularity_alpha: .*less than or equal to 10",
        ),
        ("train.batch_size=1000000000", "batch_size: .*less than or equal to"),
        ("sampling.train_on_all=true", "sampling.train_on_all: no such field"),
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
        ("seed=yes", "seed: .*valid integer.*got 'yes'"),
        ("seed=true", "seed: must not be true or false; got true"),
        ("seed=12:30:45", "seed: .*valid integer.*got '12:30:45'"),
        ("model.layers=[true, 2]", "must start with an even width"),
        ("train.epochs=" + "9" * 50, "a number has 40 digits at most"),
        ("pipeline_name=123", "pipeline_name: .*valid string; got 123"),
        ("pipeline_name=" + "a" * 64, "pipeline_name: .*at most 63 characters"),
    ],
)
def test_refuses(override, message):
    with pytest.raises(ValueError, match=message):
        config.load(overrides=[override])


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("data.decimal=,", ","),
        ("data.decimal=','", ","),
        ("data.timestamp_format=%d.%m.%Y", "%d.%m.%Y"),
        ("data.timestamp_format='%d.%m.%Y'", "%d.%m.%Y"),
    ],
)
def test_a_text_needs_no_quotes_within_those_of_the_shell(override, value):
    name = override.partition("=")[0].removeprefix("data.")
    assert getattr(config.load(overrides=[override]).data, name) == value


@pytest.mark.parametrize("time", ["2000.5", "978307200.999", "2001-01-01T00:00:00.5"])
def test_a_split_time_is_in_whole_seconds_as_the_data_are(time):
    """Interactions have whole seconds: one at 2000.9 would count as before 2000.5."""
    overrides = ["sampling.split=temporal", f"sampling.split_time={time}"]
    with pytest.raises(ValueError, match="`split_time` must be in whole seconds"):
        config.load(overrides=overrides)


def test_refuses_an_override_below_a_value():
    with pytest.raises(ValueError, match="`seed` is a value, not a section"):
        config.load(overrides=["seed=1", "seed.x=2"])


def test_the_sign_of_a_merge_is_text_where_nothing_is_merged():
    assert config.load(overrides=["data.dataset=<<"]).data.dataset == "<<"


def test_names_the_shipped_files_when_one_is_absent():
    with pytest.raises(ValueError, match=r"No config file absent.yaml; .*'ml-1m.yaml'"):
        config.load("absent.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed: 1\nseed: 2\n", "line 2, column 1: the key `seed` is there twice"),
        ("data: {dataset: a, dataset: b}", "the key `dataset` is there twice"),
        ("data: abc", "data: .*valid dictionary.*got 'abc'"),
        ("[" * 3000, "nested too deep"),
        ("? [a]\n: 1", "not valid YAML.*unhashable"),
        ("!!python/object/apply:os.getcwd []", "could not determine a constructor"),
        ("train: {tpu: '" + "x" * 100_000 + "', epochs: 0}", "train.epochs"),
        (f"seed: {'x' * 100_000}", r"seed: .*got 'x+\.\.\.x+'"),
    ],
)
def test_refuses_a_file(tmp_path, text, message):
    file = tmp_path / "c.yaml"
    file.write_text(text)
    with pytest.raises(ValueError, match=message) as refused:
        config.load(file)
    assert str(file) in str(refused.value)
    assert len(str(refused.value)) < 500 + len(str(file))


def test_data_that_is_no_section_cannot_take_a_data_set(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text("data: abc\n")
    with pytest.raises(ValueError, match="`data` is a value, not a section; got 'abc'"):
        config.load(file, dataset="x.csv")
    file.write_text("data:\n")
    assert config.load(file, dataset="x.csv").data.dataset == "x.csv"


def test_values_are_what_they_look_like():
    assert config.load(overrides=["seed=010"]).seed == 10
    assert config.load(overrides=["train.learning_rate=1e-3"]).train.learning_rate == (
        0.001
    )
    split = ["sampling.split=temporal", "sampling.split_time=2000-01-02"]
    assert config.load(overrides=split).sampling.split_seconds == 946_771_200


def test_a_shipped_file_needs_no_extension_and_no_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ml-1m").mkdir()  # Perhaps the data; not a configuration.
    assert config.load("ml-1m") == config.load("ml-1m.yaml")
    assert config.load("ml-1m").data.dataset == "ml-1m"
    (tmp_path / "ml-1m.yaml").write_text("seed: 7\n")
    assert config.load("ml-1m.yaml").seed == 7


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nowhere/ml-1m.yaml", "No config file nowhere/ml-1m.yaml"),
        (str(ROOT), "must be a file; .* is a folder"),
        ("", "must have a name; got ''"),
        ("x" * 5000, "cannot be read: File name too long"),
        ("/dev/null/c.yaml", "cannot be read: Not a directory"),
        ("/dev/zero", "must have at most 1,000,000 characters"),
    ],
)
def test_refuses_a_path(path, message):
    with pytest.raises(ValueError, match=message) as refused:
        config.load(path)
    assert len(str(refused.value)) < 300


def test_refuses_a_file_in_another_encoding(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_bytes("seed: 1 # größe".encode("latin-1"))
    with pytest.raises(ValueError, match="cannot be read: it is not UTF-8"):
        config.load(file)


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
