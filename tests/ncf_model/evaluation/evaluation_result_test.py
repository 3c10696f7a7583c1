import tensorflow as tf
import tfx  # noqa: F401  # Before TFMA: see ncf_model/evaluation/metrics.py.
from google.protobuf import text_format
from tensorflow_model_analysis.proto import metrics_for_slice_pb2, validation_result_pb2

from ncf_model.evaluation import evaluation_result
from ncf_model.evaluation.result import Paired, Rule

NOTHING_BROKEN = "validation_ok: true"


def _metric(name, value, model="", is_diff=False):
    return (
        f'metric_keys_and_values {{ key {{ name: "{name}" model_name: "{model}" '
        f"is_diff: {str(is_diff).lower()} }} "
        f"value {{ double_value {{ value: {value} }} }} }}"
    )


def _broken(*failures):
    return (
        "validation_ok: false metric_validations_per_slice { slice_key {} "
        + " ".join(f"failures {{ {failure} }}" for failure in failures)
        + " }"
    )


def _read(folder, records, validation=NOTHING_BROKEN):
    """Writes metrics as the Evaluator does, one text per slice, and reads them."""
    protos = [
        text_format.Parse(record, metrics_for_slice_pb2.MetricsForSlice())
        for record in records
    ]
    result = text_format.Parse(validation, validation_result_pb2.ValidationResult())
    for name, content in (
        ("metrics-00000-of-00001.tfrecord", protos),
        ("validations.tfrecord", [result]),
    ):
        with tf.io.TFRecordWriter(str(folder / name)) as writer:
            for proto in content:
                writer.write(proto.SerializeToString())
    return evaluation_result.read_evaluation(str(folder))


def test_one_model(tmp_path):
    record = "\n".join(
        [
            "slice_key {}",
            _metric("hit_rate@10", 0.65),
            _metric("ndcg@10", 0.37),
            _metric("hit_rate@10_standard_error", 0.015),
            _metric("popularity/hit_rate@10", 0.41),
            _metric("popularity/hit_rate@10_standard_error", 0.016),
            _metric("ease/hit_rate@10", 0.66),
            _metric("popularity/hit_rate_lift@10", 0.24),
            _metric("lists", 943),
            _metric("short_lists", 2),
            _metric("non_finite_lists", 0),
        ]
    )
    assert _read(tmp_path, [record]).model_dump() == {
        "metrics": {"hit_rate@10": 0.65, "ndcg@10": 0.37},
        "baseline": {"hit_rate@10": 0.41},
        "baselines": {
            "popularity": {"hit_rate@10": 0.41},
            "ease": {"hit_rate@10": 0.66},
        },
        "standard_errors": {"hit_rate@10": 0.015},
        "baseline_standard_errors": {"popularity": {"hit_rate@10": 0.016}},
        "lift": {"hit_rate@10": 0.24},
        "blessed_model": {},
        "comparisons": {},
        "against_baselines": {},
        "rules": [],
        "lists": 943,
        "short_lists": 2,
        "non_finite_lists": 0,
        "blessed": True,
        "failures": [],
        "slices": {},
    }


def test_two_models_and_their_difference(tmp_path):
    record = "\n".join(
        [
            "slice_key {}",
            _metric("lists", 5),
            _metric("hit_rate@10", 0.6),
            _metric("latest_blessed/mrr", 0.5),
            _metric("latest_blessed/hit_rate@10", 0.8),
            _metric("latest_blessed/hit_rate@10_standard_error", 0.1),
            _metric("latest_blessed/hit_rate_difference@10", -0.2),
            _metric("latest_blessed/hit_rate_difference@10_standard_error", 0.05),
            _metric("latest_blessed/hit_rate_p_value@10", 0.25),
        ]
    )
    result = _read(tmp_path, [record])
    assert result.metrics == {"hit_rate@10": 0.6}
    assert result.blessed_model == {"mrr": 0.5, "hit_rate@10": 0.8}
    assert result.baselines == {}
    assert result.comparisons == {
        "latest_blessed": Paired(
            metrics={"mrr": 0.5, "hit_rate@10": 0.8},
            difference=-0.2,
            standard_error=0.05,
            p_value=0.25,
        )
    }


def test_slices_are_not_the_whole(tmp_path):
    warm = 'slice_key { single_slice_keys { column: "cold" int64_value: 0 } }'
    whole = "\n".join(["slice_key {}", _metric("mrr", 0.5), _metric("lists", 9)])
    records = [whole, "\n".join([warm, _metric("mrr", 0.9), _metric("lists", 4)])]
    for order in (records, records[::-1]):
        result = _read(tmp_path, order)
        assert result.metrics == {"mrr": 0.5}
        assert result.lists == 9
        assert list(result.slices) == ["cold=0"]
        assert result.slices["cold=0"].metrics == {"mrr": 0.9}
        assert result.slices["cold=0"].lists == 4


def test_slices_are_in_their_natural_order(tmp_path):
    def slice_of(column, value):
        key = f'single_slice_keys {{ column: "{column}" bytes_value: "{value}" }}'
        return f"slice_key {{ {key} }} {_metric('lists', 1)}"

    groups = [
        ("item_warmth", "cold"),
        ("item_popularity", "tail"),
        ("another", "one"),
        ("item_popularity", "torso"),
        ("user_activity", "2"),
        ("item_popularity", "head"),
        ("user_activity", "1 least"),
    ]
    result = _read(tmp_path, [slice_of(*group) for group in groups])
    assert list(result.slices) == [
        "user_activity=1 least",
        "user_activity=2",
        "item_popularity=head",
        "item_popularity=torso",
        "item_popularity=tail",
        "item_warmth=cold",
        "another=one",
    ]


def test_the_cause_comes_before_its_effects(tmp_path):
    record = "\n".join(
        ["slice_key {}", _metric("hit_rate@10", "nan"), _metric("lists", 3)]
    )
    validation = _broken(
        'metric_key { name: "hit_rate@10" } '
        "metric_value { double_value { value: nan } } "
        "metric_threshold { value_threshold { lower_bound { value: 0.5 } } }",
        'metric_key { name: "non_finite_lists" } '
        "metric_value { double_value { value: 2 } } "
        "metric_threshold { value_threshold { upper_bound { value: 0 } } }",
    )
    first, second = _read(tmp_path, [record], validation).failures
    assert first == Rule(
        metric="non_finite_lists",
        value=2.0,
        rule="at most 0",
        message=(
            "The model gives NaN or infinite scores in 2 of 3 lists, so it cannot be "
            "evaluated; a smaller learning rate may help."
        ),
    )
    assert second.value is None
    assert second.message == "hit_rate@10 is not a number; it must be at least 0.5."


def test_what_tfma_says_itself_is_kept(tmp_path):
    validation = _broken(
        'metric_key { name: "auc" } message: "Metric not found." '
        "metric_threshold { value_threshold { lower_bound { value: 0.5 } } }"
    )
    record = "\n".join(["slice_key {}", _metric("lists", 3)])
    (failure,) = _read(tmp_path, [record], validation).failures
    assert failure.message == "auc must be at least 0.5: Metric not found."


def test_no_list_is_a_reason(tmp_path):
    result = _read(tmp_path, [], "validation_ok: false missing_slices {}")
    assert result.lists == 0
    assert result.metrics == {}
    (failure,) = result.failures
    assert "no list to evaluate" in failure.message
