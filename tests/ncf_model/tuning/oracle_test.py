"""The oracle: which trials are run, and which of them end early."""

import keras_tuner
import pytest

from ncf_model.tuning import oracle, space
from ncf_model.tuning.config import Range

FIELDS = {
    "train.epochs": space.SearchedField((5, 10), 10),
    "train.learning_rate": space.SearchedField(
        Range(min=1e-4, max=0.1, log=True), 0.007
    ),
}
FIGURE = "ndcg@10"


def _oracle(folder, trials=12, minutes=None, stop_early=True, seed=7):
    found = oracle.Oracle(
        FIGURE,
        FIELDS,
        trials=trials,
        minutes=minutes,
        stop_early=stop_early,
        seed=seed,
    )
    # The tuner sets the oracle's folder.
    keras_tuner.engine.base_tuner.BaseTuner(
        found, directory=str(folder), project_name="search"
    )
    return found


def _figure(values):
    """A made-up objective that is best at a learning rate of 0.01."""
    return 1 - abs(values["train.learning_rate"] - 0.01) * 10


def _run(chooser, count=None):
    """Runs trials to their end; returns their hyperparameters."""
    done = []
    while count is None or len(done) < count:
        trial = chooser.create_trial("t")
        if trial.status == "STOPPED":
            break
        values = trial.hyperparameters.values
        chooser.update_trial(trial.trial_id, {FIGURE: _figure(values)}, oracle.WHOLE)
        trial.status = "COMPLETED"
        chooser.end_trial(trial)
        done.append(values)
    return done


def test_the_first_trial_is_the_configuration(tmp_path):
    trials = _run(_oracle(tmp_path))
    assert trials[0] == {"train.epochs": 10, "train.learning_rate": 0.007}
    assert len(trials) == 12
    assert len({str(values) for values in trials}) == 12
    for values in trials:
        assert 1e-4 <= values["train.learning_rate"] <= 0.1
        assert values["train.learning_rate"] == float(
            f"{values['train.learning_rate']:.3g}"
        )


def test_one_seed_is_one_search(tmp_path):
    first = _run(_oracle(tmp_path / "a"))
    assert _run(_oracle(tmp_path / "b")) == first
    assert _run(_oracle(tmp_path / "c", seed=8)) != first


def test_goes_on_as_if_never_stopped(tmp_path):
    """The search is killed within a trial that the Gaussian process has chosen."""
    expected = _run(_oracle(tmp_path / "never"))
    killed = _oracle(tmp_path / "killed")
    done = _run(killed, count=8)
    begun = killed.create_trial("t")
    killed.update_trial(begun.trial_id, {FIGURE: 0.1}, oracle.WHOLE // 10)
    killed.save()
    again = _oracle(tmp_path / "killed")
    again.reload()
    assert done + _run(again) == expected


def test_the_score_is_that_of_the_last_report(tmp_path):
    chooser = _oracle(tmp_path)
    trial = chooser.create_trial("t")
    for step, figure in ((2000, 0.3), (10_000, 0.2)):
        chooser.update_trial(trial.trial_id, {FIGURE: figure}, step)
    trial.status = "COMPLETED"
    chooser.end_trial(trial)
    assert chooser.get_best_trials()[0].score == 0.2


def _begin(chooser, name):
    return chooser.create_trial(name).trial_id


def _status(chooser, trial, step, figure):
    return chooser.update_trial(trial, {FIGURE: figure}, step).status


@pytest.mark.parametrize(
    ("step", "figure", "stop_early", "status"),
    [
        (2400, 0.0, True, "RUNNING"),  # before the first rung
        (2500, 0.24, True, "STOPPED"),  # at the rung, below the median of .1 .2 .3 .4
        (2500, 0.25, True, "RUNNING"),
        (3000, 0.24, True, "STOPPED"),  # past the rung since the last report
        (2500, 0.24, False, "RUNNING"),
    ],
)
def test_the_worse_half_ends_at_a_rung(tmp_path, step, figure, stop_early, status):
    chooser = _oracle(tmp_path, stop_early=stop_early)
    others = [_begin(chooser, f"other{i}") for i in range(4)]
    for other, reached in zip(others, (0.1, 0.2, 0.3, 0.4), strict=True):
        _status(chooser, other, 2600, reached)
    mine = _begin(chooser, "mine")
    assert _status(chooser, mine, 1000, 0.0) == "RUNNING"
    assert _status(chooser, mine, step, figure) == status


def test_too_few_rivals_and_the_first_trial_never_end_early(tmp_path):
    chooser = _oracle(tmp_path)
    first, *others = [_begin(chooser, f"t{i}") for i in range(5)]
    for other in others[:3]:
        _status(chooser, other, 2500, 0.9)
    assert _status(chooser, others[3], 2500, 0.1) == "RUNNING"
    assert _status(chooser, first, 2500, 0.0) == "RUNNING"


def test_when_the_time_is_over(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(oracle.time, "monotonic", lambda: now[0])
    chooser = _oracle(tmp_path, minutes=1)
    first, second = _begin(chooser, "a"), _begin(chooser, "b")
    now[0] += 59
    assert _status(chooser, second, 100, 0.9) == "RUNNING"
    now[0] += 1
    assert _status(chooser, second, 200, 0.9) == "STOPPED"
    # The first trial goes on, so that there is always a result to compare with.
    assert _status(chooser, first, 200, 0.1) == "RUNNING"
    assert chooser.create_trial("c").status == "STOPPED"
