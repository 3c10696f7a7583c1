import os
import threading

import pytest

from pipeline.cluster import package

SPEC = {
    "root": {
        "inputDefinitions": {
            "parameters": {
                "epochs": {"parameterType": "NUMBER_INTEGER", "defaultValue": 20},
                "learning_rate": {"parameterType": "NUMBER_DOUBLE"},
                "batch_size": {"parameterType": "NUMBER_INTEGER"},
                "min_hit_rate": {"parameterType": "NUMBER_DOUBLE"},
                "data_path": {"parameterType": "STRING"},
            }
        },
        "dag": {"tasks": {}},
    }
}


def test_values_have_the_declared_types():
    given = ["epochs=3", "learning_rate=1", "data_path=gs://a/b=c.csv"]
    values = package.parse_parameters(SPEC, given)
    assert values == {"epochs": 3, "learning_rate": 1.0, "data_path": "gs://a/b=c.csv"}
    assert [type(v) for v in values.values()] == [int, float, str]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch=3", r"no parameter 'epoch'. Did you mean 'epochs'\?.*epochs=20"),
        ("epochs", "must be `name=value`; got 'epochs'"),
        ("epochs=3.5", "'epochs' must be a whole number; got '3.5'"),
        ("learning_rate=fast", "'learning_rate' must be a number; got 'fast'"),
        ("learning_rate=nan", "(?s)cannot be used.*learning_rate: .*got 'nan'"),
        ("epochs=0", "(?s)cannot be used.*train.epochs: .*or equal to 1; got 0"),
        ("batch_size=-1", "(?s)batch_size: .*or equal to 1; got -1"),
        ("min_hit_rate=65", "(?s)min_hit_rate: .*less than or equal to 1; got 65"),
    ],
)
def test_refuses(text, message):
    with pytest.raises(ValueError, match=message):
        package.parse_parameters(SPEC, [text])


@pytest.mark.parametrize(
    ("text", "message"),
    [("a: [", "is not valid YAML"), ("a: 1", "has no `pipelineInfo`"), ("", "no `pip")],
)
def test_no_pipeline(tmp_path, text, message):
    file = tmp_path / "p.yaml"
    file.write_text(text)
    with pytest.raises(ValueError, match=message):
        package.read(file)


def test_no_file(tmp_path):
    with pytest.raises(ValueError, match="ncf compile kfp -o"):
        package.read(tmp_path / "none.yaml")
    with pytest.raises(ValueError, match="No compiled pipeline"):
        package.read(tmp_path)


def test_a_pipe_is_read(tmp_path):
    """As in `ncf compile ... | ncf submit kfp /dev/stdin`."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    text = ("pipelineInfo: {}",)
    threading.Thread(target=pipe.write_text, args=text, daemon=True).start()
    assert package.read(pipe) == [{"pipelineInfo": {}}]


def _tasks(**options):
    return {"root": {"dag": {"tasks": {"InteractionsExampleGen": {}, **options}}}}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"data_version": "2024-06-01"}, "must not set `data_version`.*'2024-06-01'"),
        ({"span": 7}, "must leave `span` at -1.*got 7"),
    ],
)
def test_a_schedule_reads_new_data_each_time(values, message):
    package.check_schedule({"data_version": "", "span": -1, "epochs": 3})
    with pytest.raises(ValueError, match=message):
        package.check_schedule(values)


def test_data_are_cached_only_if_named_and_if_anything_is():
    caching = {"cachingOptions": {"enableCache": True}}
    named, unnamed = {"data_version": "v1"}, {"data_version": ""}
    assert package.cache_data(_tasks(Trainer=caching), named)
    assert not package.cache_data(_tasks(Trainer=caching), unnamed)
    assert not package.cache_data(_tasks(Trainer=caching), {})
    assert not package.cache_data(_tasks(Trainer={}), named)
