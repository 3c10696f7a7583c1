import pytest

from components.negative_sampling import checks
from components.negative_sampling.plan import Plan
from ncf_model.config import SamplingConfig

CONFIG = SamplingConfig(mode="materialised")


def _summary(**counts):
    plan = Plan(config=CONFIG, epochs=1, refit=False, seed=7, num_items=9, num_users=4)
    return checks.summary(counts, plan=plan)


def _check(*, num_users=3, config=CONFIG, **counts):
    counts = {"num_users": 3, "train_positives": 5, "eval_lists": 2} | counts
    checks.check_summary(_summary(**counts), num_users=num_users, config=config)


def test_what_was_not_found_counts_zero():
    assert _summary(num_users=3, eval_lists=2) == {
        "num_users": 3,
        "train_positives": 0,
        "train_rows_per_epoch": 0,
        "validation_lists": 0,
        "eval_lists": 2,
        "short_lists": 0,
        "users_without_eval": 0,
        "users_not_sampled": 0,
        "num_items": 9,
        "seed": 7,
        "mode": "materialised",
        "sampling": CONFIG.model_dump_json(),
    }


def test_one_list_is_enough():
    _check(eval_lists=1, train_positives=1)


def test_too_small_a_sample_is_told():
    config = CONFIG.model_copy(update={"eval_users": 1})
    with pytest.raises(ValueError, match='"eval_users":1'):
        _check(eval_lists=0, config=SamplingConfig(**config.model_dump()))


def test_nothing_to_evaluate():
    with pytest.raises(ValueError, match="Nothing can be evaluated: no user"):
        _check(eval_lists=0)


def test_nothing_to_train_on():
    config = SamplingConfig(split="temporal", split_time="1998-01-01")
    with pytest.raises(ValueError, match=r"to train on: all .*1998-01-01"):
        _check(train_positives=0, config=config)


@pytest.mark.parametrize("num_users", [2, 4])
def test_vocabulary_of_other_users(num_users):
    with pytest.raises(ValueError, match=f"got 3 records for {num_users} users"):
        _check(num_users=num_users)
