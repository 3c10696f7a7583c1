"""Runs that were killed in every node end with the result of an undisturbed run."""

import random
import time

import pytest

from ncf_model.serving import versions
from tests.reliability import real_runs, run_server, scale

pytestmark = pytest.mark.skipif(
    not scale.FULL, reason="takes half an hour; `make reliability` runs it"
)
ROUNDS = {
    "pairs": (real_runs.PAIRS, 1),
    "history": (real_runs.HISTORY, 2),
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    started = run_server.Runs(tmp_path_factory.mktemp("server"), of=real_runs.ROOT)
    yield started
    started.close()


def _kill_in(run, node, seconds, rng):
    """Kills a run at a random moment of a node; returns how, None if it had ended."""
    if not run.wait_for_node(node):
        return None
    time.sleep(rng.random() * max(seconds, 0.2))
    number, target = real_runs.draw_kill(rng)
    run.kill(number, target)
    return f"{number.name} to {target} in {node}"


@pytest.mark.parametrize("network", ROUNDS)
def test_killed_in_every_node(tmp_path, runs, network, capsys):
    settings, rounds = ROUNDS[network]
    data = tmp_path / "tastes.csv"
    real_runs.write_data(data)
    status, said = real_runs.WarmRun(runs, data, tmp_path / "whole", settings).wait()
    assert status == 0, said
    expected = real_runs.summary(tmp_path / "whole")
    for round_ in range(rounds):
        out = tmp_path / f"round{round_}"
        rng = random.Random(scale.SEED * 100 + round_)
        for node, seconds in expected["seconds"].items():
            run = real_runs.WarmRun(runs, data, out, settings)
            how = _kill_in(run, node, seconds, rng)
            status, said = run.wait()
            run.wait_for_the_last()
            with capsys.disabled():
                print(f"\n{network} {round_}: {how}: exit status {status}")
            assert "Traceback" not in said, (how, said)
            served = versions.look(out / "serving")
            assert not served.broken, how
            if status == 0:  # The signal came too late: the run had done its work.
                break
            assert not (out / "report" / "summary.json").exists(), how
            # A model is served only after Evaluator has blessed it.
            assert not served.versions or node in ("Pusher", "Report"), how
        status, said = real_runs.WarmRun(runs, data, out, settings).wait()
        assert status == 0, said
        _check(out, expected)


def _check(out, expected):
    """Checks that the folder is as after one undisturbed run."""
    found = real_runs.summary(out)
    for name in ("metrics", "baseline", "blessed", "num_users", "num_interactions"):
        assert found[name] == expected[name], name
    newest = versions.newest(out / "serving")
    assert (newest and newest.path) == found["pushed_to"]
    assert len(versions.look(out / "serving").versions) == bool(newest)
    assert not {"RUNNING", "NEW"} & set(real_runs.states(out))
    assert not list((out / "serving").glob(".ncf/staging/*"))
