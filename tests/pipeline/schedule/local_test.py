"""The files of systemd, the line of cron, and the times in them."""

import pathlib

import pytest
from typer import testing

from pipeline import cli
from pipeline.schedule import calendar, local


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("0 3 * * *", "*-*-* 03:00:00 UTC"),
        ("*/15 3-5 * * *", "*-*-* 03..05:00/15:00 UTC"),
        ("30 2 1,15 jan-mar *", "*-01..03-01,15 02:30:00 UTC"),
        ("0 4 */2 * ?", "*-*-01/2 04:00:00 UTC"),
        ("0 3 * * 1-5", "Mon..Fri *-*-* 03:00:00 UTC"),
        # systemd refuses a range that begins on Sunday.
        ("0 3 * * 0-2", "Sun,Mon,Tue *-*-* 03:00:00 UTC"),
        ("0 3 * * sun-sat", "Sun,Mon,Tue,Wed,Thu,Fri,Sat *-*-* 03:00:00 UTC"),
        ("0 3 * * sun,tue-wed", "Sun,Tue..Wed *-*-* 03:00:00 UTC"),
        ("0 3 * * 0-0", "Sun *-*-* 03:00:00 UTC"),
        ("0 3 * * sat,sun", "Sat,Sun *-*-* 03:00:00 UTC"),
    ],
)
def test_cron_as_systemd_writes_it(cron, expected):
    assert calendar.on_calendar(cron) == expected


@pytest.mark.parametrize(
    ("cron", "message"),
    [
        ("0 3 1 * mon", "leave the day or the weekday"),
        ("0 3 * * */2", "weekdays one by one"),
        ("0 3 * *", "must have 5 fields"),
    ],
)
def test_times_that_systemd_has_no_word_for(cron, message):
    with pytest.raises(ValueError, match=message):
        calendar.on_calendar(cron)


def _job(**fields):
    values = {
        "name": "shop",
        "cron": "0 3 * * *",
        "run": ["run", "--dataset", "events/{YYYY}-{MM}-{DD}.csv", "--set", "a=5%"],
        "folder": pathlib.Path("/srv/shop"),
        "program": pathlib.Path("/srv/shop/.venv/bin/ncf"),
    }
    return local.Job(**values | fields)


def test_units():
    found = local.units(_job(webhook="https://chat.example/x?y=1"))
    assert list(found) == ["shop.service", "shop.timer"]
    lines = found["shop.service"].splitlines()
    assert "WorkingDirectory=/srv/shop" in lines
    assert (
        "ExecStart=/srv/shop/.venv/bin/ncf retry --times 2 --after-s 600 --webhook "
        "'https://chat.example/x?y=1' -- run --dataset 'events/{YYYY}-{MM}-{DD}.csv' "
        "--set a=5%%"
    ) in lines
    assert "OnCalendar=*-*-* 03:00:00 UTC" in found["shop.timer"].splitlines()


def test_a_line_of_cron():
    assert local.cron_line(_job(retries=0, retry_after_s=1.5)) == (
        "0 3 * * * cd /srv/shop && /srv/shop/.venv/bin/ncf retry --times 0 --after-s "
        r"1.5 -- run --dataset 'events/{YYYY}-{MM}-{DD}.csv' --set a=5\%"
    )


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("0 0 31 dec ?", "0 0 31 dec *"),
        ("5/10,3 8/4 ? jan/2 *", "5-59/10,3 8-23/4 * jan-12/2 *"),
        ("*/15 3-5/2 1,15 * mon-fri", "*/15 3-5/2 1,15 * mon-fri"),
    ],
)
def test_what_cron_daemons_do_not_know_is_said_otherwise(cron, expected):
    assert local.cron_line(_job(cron=cron)).startswith(expected + " cd /srv/shop")


def test_a_folder_with_blanks_and_percent_signs():
    job = _job(folder=pathlib.Path("/srv/50%n off"))
    service = local.units(job)["shop.service"].splitlines()
    assert "WorkingDirectory=/srv/50%%n off" in service
    assert r"cd '/srv/50\%n off' && " in local.cron_line(job)


@pytest.mark.parametrize("name", ["", "../evil", "a b", "x%n", "a\nb", "-x"])
def test_names_that_units_cannot_have(name):
    with pytest.raises(ValueError, match="`--name` must be letters"):
        _job(name=name)


def test_words_that_cannot_be_written():
    with pytest.raises(ValueError, match="no quote, backslash or line break"):
        local.units(_job(run=["run", "--dataset", "it's.csv"]))


def test_the_command_writes_files_or_refuses(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = ["schedule", "local", "--dataset", "day-{SPAN}/*", "--units", "units"]
    done = testing.CliRunner().invoke(cli.app, [*command, "--name", "night"])
    assert done.exit_code == 0, done.output
    text = (tmp_path / "units" / "night.service").read_text()
    assert "run --quiet --dataset 'day-{SPAN}/*'" in text
    assert f"WorkingDirectory={tmp_path}" in text
    assert (tmp_path / "units" / "night.timer").exists()
    for wrong in (["--cron", "61 3 * * *"], ["--name", ""], ["--config", "absent"]):
        refused = testing.CliRunner().invoke(cli.app, [*command, *wrong])
        assert refused.exit_code == 2


def test_a_second_schedule_does_not_take_the_place_of_the_first(tmp_path):
    folder = ["schedule", "local", "--units", str(tmp_path)]
    first = [*folder, "--dataset", "books.csv"]
    assert testing.CliRunner().invoke(cli.app, first).exit_code == 0
    service = (tmp_path / "ncf.service").read_text()

    second = [*folder, "--dataset", "films.csv", "--cron", "0 4 * * *"]
    refused = testing.CliRunner().invoke(cli.app, second)
    assert refused.exit_code == 2
    assert "`--name`" in refused.stderr
    assert (tmp_path / "ncf.service").read_text() == service
    assert "03:00:00" in (tmp_path / "ncf.timer").read_text()

    later = testing.CliRunner().invoke(cli.app, [*first, "--cron", "0 5 * * *"])
    assert later.exit_code == 0
    assert "05:00:00" in (tmp_path / "ncf.timer").read_text()
    named = testing.CliRunner().invoke(cli.app, [*second, "--name", "films"])
    assert named.exit_code == 0
    assert "films.csv" in (tmp_path / "films.service").read_text()


def test_what_the_shell_said_of_the_data_is_said_at_night_too(monkeypatch):
    monkeypatch.setenv("DATA_DIR", "/srv/data")
    done = testing.CliRunner().invoke(cli.app, ["schedule", "local", "--as", "cron"])
    assert done.stdout.rstrip().endswith("run --quiet --data-dir /srv/data")
