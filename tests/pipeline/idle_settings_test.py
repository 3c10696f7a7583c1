"""A setting that changes nothing is not passed over in silence."""

import pytest
from typer import testing

from pipeline import cli, config, idle_settings


def _notes(*overrides):
    return idle_settings.notes(config.load(None, overrides))


def test_a_setting_of_the_other_network():
    rate, schedule = _notes(
        "train.learning_rate=0.1", "train.learning_rate_schedule=constant"
    )
    assert rate.startswith("`train.learning_rate: 0.1` changes nothing")
    assert "Its own setting is `model.history.learning_rate`." in rate
    assert schedule.startswith("`train.learning_rate_schedule: constant` changes")
    assert "Its own setting" not in schedule


def test_the_other_network_alone_draws_negatives_by_popularity():
    how, alpha = _notes(
        "sampling.distribution=popularity", "sampling.popularity_alpha=1"
    )
    assert how.startswith("`sampling.distribution: popularity` changes nothing")
    assert alpha.startswith("`sampling.popularity_alpha: 1.0` changes nothing")


def test_a_search_of_a_setting_of_the_other_network():
    space = "tune.space={train.batch_size: [256, 512], train.epochs: [8, 15]}"
    (size,) = _notes(space)
    assert size.startswith("`train.batch_size` in `tune.space` changes nothing")
    assert _notes("model.history=null", space) == []


@pytest.mark.parametrize(
    "overrides",
    [
        (),
        ("train.learning_rate=0.007", "train.epochs=3", "train.patience=2"),
        ("model.history=null", "train.learning_rate=0.1", "train.batch_size=64"),
        ("model.type=gmf", "sampling.distribution=popularity"),
    ],
)
def test_what_is_used_needs_no_note(overrides):
    assert _notes(*overrides) == []


def test_a_run_says_so_before_it_reads_the_data():
    arguments = ["run", "no.csv", "--set", "train.beta1=0.5"]
    result = testing.CliRunner().invoke(cli.app, arguments)
    assert "`train.beta1: 0.5` changes nothing" in result.output
    quiet = testing.CliRunner().invoke(cli.app, [*arguments, "--quiet"])
    assert "train.beta1" not in quiet.output


@pytest.mark.parametrize(
    "command",
    [
        ("tune", "no.csv"),
        ("compile", "kfp", "--serving", "no"),
        ("compile", "vertex", "--serving", "no", "--root", "no", "--image", "no"),
    ],
)
def test_other_commands_say_so_before_anything_else(command):
    arguments = [*command, "--set", "train.beta1=0.5"]
    result = testing.CliRunner().invoke(cli.app, arguments)
    assert result.exit_code == 2
    assert "`train.beta1: 0.5` changes nothing" in result.output
