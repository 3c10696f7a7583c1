"""Runs that are killed in every node come to what an undisturbed run comes to."""

import random
import time

import pytest

from ncf_model.serving import versions
from tests.reliability import real_runs, scale

pytestmark = pytest.mark.skipif(
    not scale.FULL, reason="takes an hour; `make reliability` runs it"
)
ROUNDS = 3


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kills")
    real_runs.write_data(folder / "tastes.csv")
    status, said = real_runs.Run(folder / "tastes.csv", folder / "whole").wait()
    assert status == 0, said
    return folder, real_runs.summary(folder / "whole")


def _kill_in(run, node, seconds, rng):
    """Kills a run at some moment of a node; returns how, or None if it had ended."""
    if not run.wait_for_node(node):
        return None
    time.sleep(rng.random() * max(seconds, 0.2))
    number, target = real_runs.draw_kill(rng)
    run.kill(number, target)
    return f"{number.name} to {target} in {node}"


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_killed_in_every_node(undisturbed, round_, capsys):
    folder, expected = undisturbed
    out = folder / f"round{round_}"
    rng = random.Random(scale.SEED * 100 + round_)
    for node, seconds in expected["seconds"].items():
        run = real_runs.Run(folder / "tastes.csv", out)
        how = _kill_in(run, node, seconds, rng)
        status, said = run.wait()
        run.wait_for_the_last()
        with capsys.disabled():
            print(f"\n{how}: exit status {status}")
        assert "Traceback" not in said, (how, said)
        served = versions.look(out / "serving")
        assert not served.broken, how
        if status == 0:  # It was too late, or TERM came to a child that was done.
            break
        assert not (out / "report" / "summary.json").exists(), how
        # What is served was blessed: Evaluator was through with it.
        assert not served.versions or node in ("Pusher", "Report"), how
    status, said = real_runs.Run(folder / "tastes.csv", out).wait()
    assert status == 0, said
    found = real_runs.summary(out)
    for name in ("metrics", "baseline", "blessed", "num_users", "num_interactions"):
        assert found[name] == expected[name], name
    newest = versions.newest(out / "serving")
    assert (newest and newest.path) == found["pushed_to"]
    assert len(versions.look(out / "serving").versions) == bool(newest)
    assert not {"RUNNING", "NEW"} & set(real_runs.states(out))
    assert not list((out / "serving").glob(".ncf/staging/*"))
