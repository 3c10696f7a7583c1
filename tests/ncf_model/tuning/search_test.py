"""A search's trials: in this process, in other processes, and when they fail."""

import contextlib
import json
import os
import signal
import threading
import time

import numpy as np
import pytest

from ncf_model import trainer
from ncf_model.training import data, validation
from ncf_model.tuning import oracle, search, shared, space, trial, worker

FIELDS = {"train.epochs": space.SearchedField((1, 2, 3), 2)}
CUSTOM = {
    "model": {"history": {"factors": 4, "users_per_batch": 5}},
    "train": {"epochs": 2, "jit_compile": False},
    "sampling": {},
    "seed": 3,
}
FIGURE = "catalogue_ndcg@10"


@pytest.fixture
def read(tiny):
    users, items = (trainer.index(path) for path in tiny.vocabularies.values())
    lists = data.load_lists(tiny.validation)
    return shared.Shared(
        data.load_interactions(tiny.train),
        validation.by_index(*lists, users=users, items=items),
        len(users),
        len(items),
    )


def _search(folder, read, *, trials=3):
    """Returns the scores by trial, and the tuner."""
    chooser = oracle.Oracle(
        FIGURE, FIELDS, trials=trials, minutes=None, stop_early=True, seed=5
    )
    tuner = search.Tuner(chooser, folder=str(folder), name="search")
    tuner.search(shared=read, custom=CUSTOM, objective=FIGURE, processes=1, threads=1)
    ended = sorted(chooser.get_best_trials(trials), key=lambda t: t.trial_id)
    return {t.hyperparameters.values["train.epochs"]: t.score for t in ended}, tuner


def test_data_is_handed_on_whole(read, tmp_path):
    read.save(tmp_path / "data.npz")
    found = shared.load(tmp_path / "data.npz")
    assert found.interactions.user_ids == read.interactions.user_ids
    assert (found.num_users, found.num_items) == (5, 7)
    assert found.interactions.negatives is None
    for name, array in read.arrays().items():
        np.testing.assert_array_equal(found.arrays()[name], array)


def test_another_process_comes_to_the_same(read, tmp_path):
    """Another process reports the same epochs of a trial, and the error of another."""
    read.save(tmp_path / worker.DATA_FILE)
    job = {"custom": CUSTOM, "objective": FIGURE}
    (tmp_path / worker.JOB_FILE).write_text(json.dumps(job))
    reports = {"here": [], "there": []}

    def report(where):
        return lambda step, figure: reports[where].append((step, figure)) or step > 5000

    # The report at step 6666, after the second of three epochs, ends the trial.
    values = {"train.epochs": 3}
    trial.run(read, CUSTOM, values, objective=FIGURE, report=report("here"))
    one = worker.Worker(tmp_path, threads=1)
    with contextlib.closing(one):
        one(values, report("there"))
        with pytest.raises(ValueError, match="dropout"):
            one({"model.history.dropout": 2.0}, report("there"))
    steps, figures = zip(*reports["here"], strict=True)
    assert steps == (3333, 6666)
    assert all(0 < figure <= 1 for figure in figures)
    assert reports["there"] == [(s, pytest.approx(f)) for s, f in reports["here"]]


def test_an_objective_that_is_not_there(read):
    with pytest.raises(ValueError, match=r"there is no 'mrr', only \['catalogue_hit"):
        trial.run(read, CUSTOM, {}, objective="mrr", report=lambda *_: False)


def test_a_trial_needs_none_of_the_gpus_that_the_training_needs(read):
    """On a cluster the training has a machine with GPUs, and the search has not."""
    steps = []

    def report(step, figure):
        steps.append(step)
        return False

    custom = {**CUSTOM, "train": {**CUSTOM["train"], "num_gpus": 1}}
    trial.run(read, custom, {}, objective=FIGURE, report=report)
    assert steps == [5000, 10_000]


class _Fake:
    """Stands in for a process: each trial reports or raises an entry of `script`."""

    def __init__(self, script):
        self.script = list(script)
        self.ran = []

    def __call__(self, values, report):
        self.ran.append(values["train.epochs"])
        entry = self.script.pop(0) if self.script else 0.5
        if isinstance(entry, Exception):
            raise entry
        report(oracle.WHOLE, entry)

    def close(self):
        pass


def _scripted(monkeypatch, script):
    fake = _Fake(script)
    monkeypatch.setattr(search, "_runs", lambda *_: contextlib.nullcontext([fake]))
    return fake


def test_who_died_is_tried_once_more(monkeypatch, tmp_path, read):
    script = [worker.Died("killed"), 0.3, worker.Died("killed"), worker.Died("again")]
    fake = _scripted(monkeypatch, script)
    scores, _ = _search(tmp_path, read)
    assert fake.ran[0] == fake.ran[1] == 2
    assert fake.ran[2] == fake.ran[3]
    assert len(fake.ran) == 5
    assert sorted(score for score in scores.values() if score is not None) == [0.3, 0.5]


def test_what_diverged_is_not_tried_again(monkeypatch, tmp_path, read):
    fake = _scripted(monkeypatch, [0.3, ValueError("The loss must be finite")])
    scores, tuner = _search(tmp_path, read)
    assert len(fake.ran) == len(set(fake.ran)) == 3
    best = tuner.get_best_hyperparameters()[0].values["train.epochs"]
    assert scores[best] == 0.5


def test_the_configuration_as_it_is_must_not_fail(monkeypatch, tmp_path, read):
    """The same search says so again, and runs no other trial."""
    fake = _scripted(monkeypatch, [worker.Died("status -11")] * 2 + [0.3])
    for _ in range(2):
        with pytest.raises(RuntimeError, match=r"as it is, failed: status -11\. To"):
            _search(tmp_path, read)
        assert len(fake.ran) == 2


class _Slow:
    """Stands in for a process that never ends a trial, and dies with the search."""

    def __init__(self):
        self._closed = threading.Event()

    def __call__(self, values, report):
        del values, report
        self._closed.wait()
        raise worker.Died("The search has ended.")

    def close(self):
        self._closed.set()


class _CtrlC:
    """Stands in for a process during whose trial Ctrl-C is pressed."""

    def __call__(self, values, report):
        raise KeyboardInterrupt

    def close(self):
        pass


def test_trials_that_end_at_the_same_time(monkeypatch, tmp_path, read):
    together = threading.Barrier(2, timeout=60)

    def run(values, report):
        report(oracle.WHOLE, 0.1)
        together.wait()

    run.close = lambda: None
    monkeypatch.setattr(search, "_runs", lambda *_: contextlib.nullcontext([run, run]))
    end = search.Tuner.on_trial_end

    def slowly(self, ended):
        time.sleep(0.2)  # The other trial's thread is done, too.
        end(self, ended)

    monkeypatch.setattr(search.Tuner, "on_trial_end", slowly)
    scores, _ = _search(tmp_path, read, trials=2)
    assert list(scores.values()) == [0.1, 0.1]


def test_trials_that_ran_at_the_end_run_again(monkeypatch, tmp_path, read):
    interrupted = contextlib.nullcontext([_Slow(), _CtrlC()])
    with monkeypatch.context() as patch:
        patch.setattr(search, "_runs", lambda *_: interrupted)
        with pytest.raises(KeyboardInterrupt):
            _search(tmp_path, read)
    _scripted(monkeypatch, [0.3, 0.2, 0.1])
    scores, _ = _search(tmp_path, read)
    assert sorted(scores.values()) == [0.1, 0.2, 0.3]


def test_many_failures_in_a_row(monkeypatch, tmp_path, read):
    fields = {"train.epochs": space.SearchedField(tuple(range(1, 10)), 2)}
    monkeypatch.setitem(globals(), "FIELDS", fields)
    _scripted(monkeypatch, [0.3, *[ValueError("no memory")] * 8])
    with pytest.raises(RuntimeError, match=r"5 trials in a row failed; .*no memory"):
        _search(tmp_path, read, trials=9)


def test_a_process_that_is_killed(tmp_path, read):
    read.save(tmp_path / worker.DATA_FILE)
    (tmp_path / worker.JOB_FILE).write_text('{"custom": {}, "objective": "x"}')
    one = worker.Worker(tmp_path, threads=1)
    process = one._started()
    os.kill(process.pid, signal.SIGKILL)
    with pytest.raises(worker.Died, match="ended with status -9"):
        one({"train.epochs": 1}, lambda *_: False)
    one.close()
    with pytest.raises(worker.Died, match="The search has ended"):
        one({"train.epochs": 1}, lambda *_: False)
