"""What holds for every subcommand of `ncf`."""

import json
import sys

import pseudo_terminal
import pytest
import typer
from typer import testing

from components.report.document import Summary, Train
from pipeline import cli, inputs
from pipeline.data import catalogue
from pipeline.local import running


def _invoke(*arguments, **options):
    return testing.CliRunner().invoke(cli.app, list(arguments), **options)


def test_version_as_an_option_and_as_a_command():
    result = _invoke("--version")
    assert result.exit_code == 0
    assert result.output == _invoke("version").output
    assert result.output.strip().count(".") >= 1


def test_help_tells_defaults_and_exit_statuses():
    wide = {"COLUMNS": "200", "TERM": "dumb"}
    assert "runs/<pipeline>-<data set>" in _invoke("run", "--help", env=wide).output
    assert "train.epochs" in _invoke("sample", "--help", env=wide).output
    assert "130 stopped with Ctrl-C" in _invoke("--help", env=wide).output


def _commands(command, path=()):
    yield path, command
    for name, child in getattr(command, "commands", {}).items():
        yield from _commands(child, (*path, name))


def test_no_word_of_a_help_is_read_as_markup():
    """Rich would take `[...]` in a help text for a style, and not print that part."""
    lost = [
        (*path, parameter.name)
        for path, command in _commands(typer.main.get_command(cli.app))
        for parameter in command.params
        if "[" in (getattr(parameter, "help", None) or "")
    ]
    assert lost == []


def test_completion_can_be_installed():
    assert "--install-completion" in _invoke("--help", env={"COLUMNS": "200"}).output


def test_a_refusal_is_status_2_and_does_not_act_on_the_terminal():
    result = _invoke("run", "--set", "seed=\x1b[2J")
    assert result.exit_code == 2
    assert "\x1b[2J" not in result.output
    assert "seed" in result.output


@pytest.mark.parametrize(
    ("error", "status"), [(KeyboardInterrupt(), 130), (PermissionError(13, "no"), 1)]
)
def test_stopped_and_failed_have_their_status_and_no_traceback(
    monkeypatch, error, status
):
    def stop(*_, **__):
        raise error

    monkeypatch.setattr(inputs, "find_data", stop)
    result = _invoke("run")
    assert result.exit_code == status
    assert "Traceback" not in result.output


@pytest.fixture
def finished(monkeypatch, tmp_path):
    """A stand-in for a successful run, which records what it was asked for."""
    asked = {}

    def run(config, *_, **options):
        asked.update(options, config=config)
        return Summary(
            dataset="tiny",
            num_users=1,
            num_items=1,
            num_interactions=1,
            metrics={},
            blessed=True,
            train=Train(examples_per_second=1, epochs=1, best_epoch=1, final_loss=1),
        )

    file = tmp_path / "tiny.csv"
    file.write_text("user,item,time\nu,i,1262304000\n")
    found = catalogue.Dataset("tiny", file)
    monkeypatch.setattr(inputs, "find_data", lambda *_: found)
    monkeypatch.setattr(running, "run", run)
    return asked


def test_json_is_all_that_standard_output_gets(finished, capsys):
    with pytest.raises(SystemExit, match="0"):
        cli.app(["run", "--json"])
    assert json.loads(capsys.readouterr().out)["blessed"] is True
    assert finished["progress_to_errors"]
    assert not finished["quiet"]


def test_quiet_says_nothing_of_its_own(finished):
    assert _invoke("run", "-q").output == ""
    assert finished["quiet"]


def test_allow_shrink_lifts_the_limit_for_this_run(finished):
    limits = []
    for lifted in ([], ["--allow-shrink"]):
        _invoke("run", "--set", "data.max_shrink=0.2", *lifted)
        limits.append(finished["config"].data.max_shrink)
    assert limits == [0.2, 1.0]


def test_the_data_may_be_named_without_a_flag(finished):
    for named in (["synthetic"], ["--dataset", "synthetic"]):
        _invoke("run", *named)
        assert finished.pop("config").data.dataset == "synthetic"
    refused = _invoke("run", "a.csv", "--dataset", "b.csv")
    assert refused.exit_code == 2
    assert "Name one data set" in refused.output
    refused = _invoke("prepare", "mine.yaml")
    assert refused.exit_code == 2
    assert "`--config mine.yaml`" in refused.output


@pytest.mark.parametrize(
    ("environment", "colours"), [({}, True), ({"NO_COLOR": "1"}, False)]
)
def test_red_on_a_terminal_unless_told_otherwise(environment, colours):
    command = [sys.executable, "-m", "pipeline.cli", "run", "--set", "seed=x"]
    screen = pseudo_terminal.run(command, env=environment)
    assert screen.returncode == 2
    assert ("\x1b[31m" in screen.raw) == colours


@pytest.mark.parametrize("k", ["0", "2147483648", "-1"])
def test_k_is_a_number_of_items(k):
    result = _invoke("recommend", "--user", "a", "-k", k)
    assert result.exit_code == 2
    assert "Traceback" not in result.output
