"""A person sees how the data is understood, and can keep it as a configuration."""

import io
import json
import os

import pytest
from rich.console import Console
from typer import testing

from pipeline import cli, config, inputs
from pipeline.local import own_data, running, tuning, understood

SHOP = (
    "Invoice;StockCode;Description;Quantity;InvoiceDate;Customer ID\n"
    "1;A;BOX [small];2;14/12/2009 02:52;u1\n"
    "1;B;\x1b[2JBAG;1;14/12/2009 02:52;u1\n"
    "2;A;BOX [small];1;15/12/2009 09:00;u2\n"
    "3;C;CUP;1;16/12/2009 10:30;\n"
)


@pytest.fixture
def shop(tmp_path):
    path = tmp_path / "invoices.csv"
    path.write_text(SHOP)
    return path


def _shown(seen, width=100):
    console = Console(file=io.StringIO(), width=width, highlight=False)
    understood.show(console, seen.overview, seen.titles)
    return console.file.getvalue()


def _settled(shop, *overrides):
    return own_data.settle(config.load(None, overrides, dataset=str(shop)), None)


def test_the_table_tells_what_is_what(shop):
    _, _, seen = _settled(shop, "data.columns.title=Description")
    text = _shown(seen)
    rows = {line.split()[0]: line for line in text.splitlines() if line.strip()}
    assert "Customer ID" in rows["user"]
    assert "u1, u1, u2" in rows["user"]
    assert "StockCode" in rows["item"]
    assert "none" in rows["rating"]
    assert "14/12/2009 02:52" in rows["time"]
    assert "Not used: Invoice, Quantity." in text
    assert "4 rows: 2 users, 2 items, from 2009-12-14 to 2009-12-15." in text
    assert "1 row left out, which cannot be read: 1 blank user" in text
    assert "line 5" in text
    assert "3 titles of items" in text


def test_text_of_the_data_does_not_act_on_the_terminal(shop):
    shop.write_text(SHOP.replace("u1", "u\x1b[2J1").replace("Invoice;", "In[/]v;"))
    _, _, seen = _settled(shop)
    text = _shown(seen)
    assert "\x1b" not in text
    assert "u\\x1b[2J1" in text
    assert "In[/]v" in text


@pytest.mark.parametrize("width", [40, 60, 200])
def test_it_fits_any_terminal(shop, width):
    _, _, seen = _settled(shop)
    assert max(map(len, _shown(seen, width).splitlines())) <= width


def test_own_data_is_two_commands(shop, tmp_path):
    written = tmp_path / "my own.yaml"
    arguments = ["prepare", "--dataset", str(shop), "--write-config", str(written)]
    result = testing.CliRunner().invoke(cli.app, arguments)
    assert result.exit_code == 0, result.output
    assert f"ncf run --config '{written}'" in result.output
    loaded = config.load(written).data
    assert loaded.dataset == str(shop)
    assert loaded.columns.model_dump() == {
        "user": "Customer ID",
        "item": "StockCode",
        "rating": None,
        "timestamp": "InvoiceDate",
        "title": None,
    }
    assert loaded.timestamp_format == "%d/%m/%Y %H:%M"
    assert (loaded.bad_rows, loaded.delimiter, loaded.header) == ("skip", ";", True)
    found = inputs.find_data(config.load(written), None)
    assert inputs.understand(config.load(written), found).overview.rows == 4
    again = testing.CliRunner().invoke(cli.app, arguments)
    assert again.exit_code == 2
    assert "exists; name another file" in again.output


def test_a_path_of_days_is_written_for_any_working_folder(tmp_path, monkeypatch):
    (tmp_path / "2024-03-01.csv").write_text("user,item,time\na,x,1709251200\n")
    monkeypatch.chdir(tmp_path)
    asked = ["prepare", "{YYYY}-{MM}-{DD}.csv", "--write-config", "days.yaml"]
    result = testing.CliRunner().invoke(cli.app, asked)
    assert result.exit_code == 0, result.output
    written = config.load(tmp_path / "days.yaml").data.dataset
    assert written == str(tmp_path / "{YYYY}-{MM}-{DD}.csv")


def test_a_column_whose_name_stands_twice_is_written_by_its_position(shop, tmp_path):
    shop.write_text("user,item,item\nu,a,x\nv,b,y\n")
    settings, _, seen = _settled(shop, "data.columns.item=2")
    written = tmp_path / "mine.yaml"
    understood.write_config(written, seen.overview, settings.data)
    columns = config.load(written).data.columns
    assert (columns.user, columns.item) == ("user", 2)


def test_where_two_answers_would_do_the_person_is_asked(shop):
    shop.write_text("user,item,date\nu,a,1/2/2009\nv,b,3/4/2009\n")
    with pytest.raises(ValueError, match="the values do not tell which"):
        _settled(shop)


def test_the_one_column_that_looks_like_a_time_is_taken(shop):
    shop.write_text("user,item,seen_on\nu,a,14.12.2009\nv,b,15.12.2009\n")
    settings, _, seen = _settled(shop)
    assert settings.data.columns.timestamp == "seen_on"
    assert settings.data.timestamp_format == "%d.%m.%Y"
    assert seen.overview.last == 1260835200


@pytest.mark.parametrize(
    ("values", "form", "last"),
    [
        (("20091214", "20091215"), "%Y%m%d", 1260835200),
        (("40161", "40162.5"), "excel", 1260878400),  # Noon of the same day.
    ],
)
def test_numbers_that_are_dates_are_read_as_dates(shop, values, form, last):
    first, second = values
    shop.write_text(f"user,item,date\nu,a,{first}\nv,b,{second}\n")
    settings, _, seen = _settled(shop)
    assert settings.data.timestamp_format == form
    assert seen.overview.last == last


def test_a_mere_order_stays_one(shop):
    shop.write_text("user,item,time\nu,a,1\nv,b,2\n")
    settings, _, seen = _settled(shop)
    assert settings.data.timestamp_format == "auto"
    assert "If it is a mere order, nothing is wrong." in seen.overview.notes[0]


def test_a_column_that_may_be_the_title_is_named(shop):
    _, _, seen = _settled(shop)
    assert any("`data.columns.title: Description`" in n for n in seen.overview.notes)
    _, _, seen = _settled(shop, "data.columns.title=Description")
    assert not any("data.columns.title" in note for note in seen.overview.notes)


def test_prepare_reads_the_whole_file_and_answers_in_json(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("user,item,time\n" + "u,i,1262304000\n" * 1000)
    arguments = ["prepare", "--dataset", str(path), "--json"]
    result = testing.CliRunner().invoke(cli.app, arguments)
    told = json.loads(result.output)
    assert (told["rows"], told["repeats"], told["complete"]) == (1000, 999, True)
    path.write_text("user,item,time\n" + "u,i,1262304000\n" * 100_000 + ",i,1\n")
    result = testing.CliRunner().invoke(cli.app, arguments)
    assert result.exit_code == 2
    assert "line 100002" in result.output


def test_each_data_has_its_own_default_folder(tmp_path):
    folders = set()
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        path = tmp_path / folder / "sales.2024.csv"
        path.write_text("user,item,time\nu,i,1262304000\n")
        settings = config.load(dataset=str(path))
        found = inputs.find_data(settings, None)
        folders.add(running.default_out(settings, found))
    assert len(folders) == 2
    assert all(folder.name.startswith("ncf-sales.2024-") for folder in folders)


@pytest.mark.parametrize("name", ["a[1]", "a*", "a?"])
def test_patterns_in_paths_are_refused_at_once(tmp_path, name):
    (tmp_path / name).mkdir()
    path = tmp_path / name / "r.csv"
    path.write_text("user,item,time\nu,i,1262304000\n")
    with pytest.raises(ValueError, match="must have none of"):
        inputs.find_data(config.load(dataset=str(path)), None)
    path = tmp_path / "r.csv"
    path.write_text("user,item,time\nu,i,1262304000\n")
    settings = config.load(dataset=str(path))
    found = inputs.find_data(settings, None)
    with pytest.raises(ValueError, match="must have none of"):
        running.run(settings, found, out=tmp_path / name)


@pytest.mark.parametrize("start", [running.run, tuning.tune])
@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("r.csv", "r.csv is a file"),
        ("r.csv/below/it", "r.csv is a file"),
        ("x" * 300, "File name too long"),
        ("/dev/null", "/dev/null is a file"),
        ("closed", "closed may not be written to"),
    ],
)
def test_a_folder_that_cannot_be_one_is_refused_at_once(
    tmp_path, monkeypatch, start, name, why
):
    path = tmp_path / "r.csv"
    path.write_text("user,item,time\nu,i,1262304000\n")
    (tmp_path / "closed").mkdir()
    may = os.access
    monkeypatch.setattr(  # Root may write anywhere.
        os, "access", lambda path, mode: "closed" not in str(path) and may(path, mode)
    )
    settings = config.load(dataset=str(path))
    found = inputs.find_data(settings, None)
    with pytest.raises(ValueError, match=why) as refused:
        start(settings, found, out=tmp_path / name)
    assert "Name another with --out" in str(refused.value)
    assert path.read_text().startswith("user")


@pytest.mark.parametrize("name", ["serving", "pipeline_root", "checkpoints", "logs"])
@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda path: path.touch(), "is a file"),
        (lambda path: path.symlink_to("volume"), "is a link to what is not there"),
    ],
)
def test_so_is_a_folder_in_it(tmp_path, name, make, why):
    """Otherwise a link `serving` to an absent volume would fail after training."""
    path = tmp_path / "r.csv"
    path.write_text("user,item,time\nu,i,1262304000\n")
    settings = config.load(dataset=str(path))
    found = inputs.find_data(settings, None)
    out = tmp_path / "out"
    out.mkdir()
    make(out / name)
    with pytest.raises(ValueError, match=f"out/{name} {why}"):
        running.run(settings, found, out=out)
    assert [child.name for child in out.iterdir()] == [name]


def test_rows_of_another_encoding_are_not_skipped(tmp_path):
    shop = tmp_path / "shop.csv"
    shop.write_bytes("user,item,time\na,Tee,1\na,Käse,2\nb,Tee,3\n".encode("cp1252"))
    with pytest.raises(ValueError, match=r"got b'K\\xe4se'. Convert the file"):
        _settled(shop)
