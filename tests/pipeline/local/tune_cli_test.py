"""`ncf tune`: what it asks for, and what it prints."""

import json

import pytest
import yaml
from typer import testing

from pipeline import cli, inputs
from pipeline.local import tuning


@pytest.fixture
def tune(monkeypatch, tmp_path):
    """Returns a function that runs the command; the search itself is made up."""
    (tmp_path / "ratings.csv").write_text("user,item,time\na,x,1\na,y,2\n")
    asked = []

    def search(config, dataset, *, out, progress_to_errors):
        asked.append(config)
        trials = [
            tuning.Trial(number=2, score=0.5, values={"train.epochs": 9}),
            tuning.Trial(number=0, score=0.4, values={"train.epochs": 15}),
        ]
        return tuning.Found(
            dataset=dataset.name,
            objective="ndcg@10",
            start=0.4,
            score=0.5,
            values=trials[0].values,
            trials=trials,
            cached=False,
            seconds=3.0,
        )

    monkeypatch.setattr(tuning, "tune", search)

    def run(*arguments):
        command = ["tune", "--dataset", str(tmp_path / "ratings.csv"), *arguments]
        return testing.CliRunner().invoke(cli.app, command), asked

    return run


def test_options_are_settings_of_the_search(tune):
    result, (config,) = tune("--trials", "3", "--minutes", "0.5", "--processes", "1")
    assert result.exit_code == 0, result.output
    tuned = config.tune
    assert (tuned.trials, tuned.minutes, tuned.processes) == (3, 0.5, 1)


@pytest.mark.parametrize("command", [["tune"], ["sample", "--output", "samples"]])
def test_the_data_may_be_named_without_a_flag(monkeypatch, command):
    def refuse(config, data_dir):
        raise ValueError(f"looked for {config.data.dataset}")

    monkeypatch.setattr(inputs, "find_data", refuse)
    for arguments in (["synthetic"], ["--dataset", "synthetic"]):
        result = testing.CliRunner().invoke(cli.app, [*command, *arguments])
        assert "looked for synthetic" in result.output
    two = [*command, "synthetic", "--dataset", "other.csv"]
    result = testing.CliRunner().invoke(cli.app, two)
    assert result.exit_code == 2
    assert "Name one data set" in result.output


def test_without_options_the_defaults_are_searched(tune):
    result, (config,) = tune()
    assert result.exit_code == 0, result.output
    assert config.tune.trials == 40


def test_writes_and_prints_what_was_found(tune, tmp_path):
    file = tmp_path / "best.yaml"
    result, _ = tune("--json", "--write-config", str(file))
    assert json.loads(result.stdout)["values"] == {"train.epochs": 9}
    assert yaml.safe_load(file.read_text())["train"] == {"epochs": 9}
    result, asked = tune("--write-config", str(file))
    assert result.exit_code == 2
    assert "best.yaml exists" in result.output
    assert len(asked) == 1  # There was no second search.


def test_a_file_that_cannot_be_written_is_refused_before_the_search(tune, tmp_path):
    file, link = tmp_path / "none" / "best.yaml", tmp_path / "link.yaml"
    link.symlink_to(file)
    for named in (file, link):
        result, asked = tune("--write-config", str(named))
        assert result.exit_code == 2
        assert "in a folder that is there" in result.output
        assert not asked


def test_what_cannot_be_searched_is_refused(tune):
    result, asked = tune("--set", "tune.space={seed: [1, 2]}")
    assert result.exit_code == 2
    assert "got 'seed'" in result.output
    assert not asked


def test_shows_the_best_beside_the_first(capsys):
    from rich.console import Console

    trials = [
        tuning.Trial(number=n, score=0.9 - n / 10, values={"train.epochs": n})
        for n in (1, 2, 3, 4, 5, 6, 0)
    ]
    trials[-1] = trials[-1].model_copy(update={"score": 0.1})
    found = tuning.Found(
        dataset="d",
        objective="ndcg@10",
        start=0.1,
        score=0.8,
        values={"train.epochs": 1},
        trials=trials,
        cached=False,
        seconds=3.0,
    )
    tuning.show(Console(width=80), found)
    shown = capsys.readouterr().out
    lines = shown.splitlines()
    assert [line.split()[0] for line in lines[1:7]] == ["1", "2", "3", "4", "5", "as"]
    assert "0.1000 -> 0.8000" in shown
