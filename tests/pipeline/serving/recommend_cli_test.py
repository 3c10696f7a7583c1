"""`ncf recommend` and `ncf similar`, on the terminal and into files."""

import json
import tracemalloc

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv, parquet
from typer import testing

from pipeline import cli
from pipeline.serving import audience, bulk, loaded_model


def _run(*arguments):
    return testing.CliRunner().invoke(cli.app, [str(a) for a in arguments])


def _ok(*arguments):
    done = _run(*arguments)
    assert done.exit_code == 0, done.output
    return done


def test_a_table_per_user_with_titles(shared_out):
    text = _ok(
        "recommend", "--user", "ann", "--user", "[x]", "--out", shared_out
    ).output
    assert "user ann" in text
    assert "user [x]" in text
    assert "Brazil (1985)" in text
    assert "0.5000" in text


@pytest.mark.parametrize(
    ("arguments", "whom"),
    [(["--user", "bob"], "user bob"), (["--item", "i3"], "the basket")],
)
def test_whom_no_items_are_left_for(shared_out, monkeypatch, arguments, whom):
    def nothing(self, asked, k):
        none, score = np.array([[b""] * k] * len(asked)), np.zeros((len(asked), k))
        return none, score

    for name in ("recommend", "recommend_for_items"):
        monkeypatch.setattr(loaded_model.LoadedModel, name, nothing)
    done = _ok("recommend", *arguments, "--out", shared_out)
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1] == f"No items are left for {whom}."


def test_a_basket_and_json(shared_out):
    done = _ok("recommend", "--item", "i3", "-k", 2, "--json", "--out", shared_out)
    [answer] = json.loads(done.stdout)
    assert answer["basket"] == "i3"
    assert [item["item_id"] for item in answer["items"]] == ["i4", "i0"]
    assert answer["items"][1]["title"] == "Alien (1979)"


def test_items_of_a_basket_that_the_model_lacks_are_named(shared_out):
    done = _ok("recommend", "--item", "i3", "--item", "I4 ", "--out", shared_out)
    assert done.stderr.splitlines()[1:] == [
        "The model does not know item I4 . Near it: i4."
    ]


def test_similar_items_and_one_that_is_unknown(shared_out, tmp_path):
    titles = tmp_path / "mine.csv"
    titles.write_text("item_id,title\ni1,Mine\n")
    done = _ok(
        "similar", "--item", "i0", "-k", 1, "--out", shared_out, "--titles", titles
    )
    assert "Mine" in done.output
    assert "Brazil" not in done.output
    done = _ok("similar", "--item", "x7", "--item", "i33", "--out", shared_out)
    assert done.output.splitlines()[-2:] == [
        "The model does not know item x7.",
        "The model does not know item i33. Near it: i3.",
    ]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "Give one of --user, --item, --all"),
        (["--user", "a", "--all"], "Give one of --user, --item, --all"),
        (["--all"], "need --output FILE"),
        (["--all", "--output", "x.xml"], "must end in one of .parquet, .csv, .jsonl"),
        (
            ["--users-file", "none.txt", "--output", "x.csv"],
            "There is no file none.txt",
        ),
        (["--user", "a", "--titles", "none.csv"], "There is no file none.csv"),
    ],
)
def test_refuses(shared_out, arguments, reason, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = _run("recommend", "--out", shared_out, *arguments)
    assert done.exit_code == 2
    assert reason in done.output
    assert list(tmp_path.iterdir()) == []


def _rows(k, users, first="i0"):
    start = int(first[1])
    titles = {"i0": "Alien (1979)", "i1": "Brazil (1985)", "i2": "Aliens (1986)"}
    return [
        {
            "user_id": user,
            "rank": rank + 1,
            "item_id": (item := f"i{(start + rank) % 5}"),
            "score": pytest.approx(1 / (rank + 1)),
            "title": titles.get(item, ""),
        }
        for user in users
        for rank in range(k)
    ]


def test_everybody_in_each_form(shared_out, tmp_path):
    def write(name):
        path = tmp_path / "new" / name
        done = _ok("recommend", "--all", "-k", 7, "--out", shared_out, "--output", path)
        assert "15 rows of 3 users" in done.output
        return path

    # Seven were asked for; there are five.
    expected = _rows(5, ["ann", "bob", "éve"])
    assert parquet.read_table(write("a.parquet")).to_pylist() == expected
    assert csv.read_csv(write("a.csv")).to_pylist() == [
        row | {"title": row["title"]} for row in expected
    ]
    lines = write("a.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == expected
    assert len(list((tmp_path / "new").iterdir())) == 3


def test_users_of_a_file_whom_the_model_lacks_are_counted(shared_out, tmp_path):
    file = tmp_path / "who.txt"
    said = "Not in the training data: 2 users, who got the most popular items."
    for content, unknown in (("ann\nAnn\nbobby\n", True), ("ann\nbob\n", False)):
        file.write_text(content)
        output = ("--output", tmp_path / "a.csv", "--out", shared_out)
        done = _ok("recommend", "--users-file", file, *output)
        assert (said in done.output.replace("\n", " ")) == unknown


@pytest.fixture
def model(shared_out):
    return loaded_model.LoadedModel(7, str(shared_out / "serving" / "7"))


def _write(model, blocks, path, **options):
    return bulk.write(model, blocks, str(path), title_of=lambda item: "", **options)


def test_shards_hold_every_user_once(model, tmp_path):
    users = [f"u{i}" for i in range(10)]
    blocks = audience.of_users(users, 2)
    done = _write(model, blocks, tmp_path / "a.parquet", k=2, shards=3)
    assert [name.rsplit("/")[-1] for name in done.files] == [
        f"a-0000{i}-of-00003.parquet" for i in range(3)
    ]
    found = [parquet.read_table(name)["user_id"].to_pylist() for name in done.files]
    assert sorted(user for part in found for user in part) == sorted(2 * users)
    assert [len(part) for part in found] == [8, 8, 4]


def test_the_models_own_users_are_not_kept_in_memory(shared_out, tmp_path, monkeypatch):
    def kept(model):
        raise AssertionError("The list of all users is read.")

    monkeypatch.setattr(loaded_model.LoadedModel, "user_ids", property(kept))
    output = ("--output", tmp_path / "a.csv", "--out", shared_out)
    _ok("recommend", "--all", *output)


def test_users_with_baskets_are_asked_about_those(model, tmp_path):
    file = tmp_path / "who.jsonl"
    file.write_text(
        '{"user_id": "new", "item_ids": ["i1", "i9"]}\n\n'
        '{"user_id": "ann"}\n{"user_id": "bob", "item_ids": []}\n'
    )
    blocks = audience.of_file(file, 10)
    _write(model, blocks, tmp_path / "a.jsonl", k=1)
    lines = (tmp_path / "a.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert [(row["user_id"], row["item_id"]) for row in rows] == [
        ("new", "i2"),
        ("ann", "i0"),
        ("bob", "i0"),
    ]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", "\ufeffann\r\n\nb c\n"),
        ("b.csv", "ann,3\n\nb c,4\n"),
        ("c.csv", "age,user_id\n3,ann\n4,b c\n"),
        ("d.jsonl", '{"user_id": "ann", "age": 3}\n{"user_id": "b c"}\n'),
    ],
)
def test_files_of_users(tmp_path, name, content):
    (tmp_path / name).write_text(content, encoding="utf-8")
    [block] = audience.of_file(tmp_path / name, 10)
    assert list(block.user_ids) == ["ann", "b c"]
    assert block.baskets is None


def test_a_parquet_file_of_users(tmp_path):
    table = pa.table({"user_id": [7, 8], "item_ids": [["i1"], None]})
    parquet.write_table(table, tmp_path / "a.parquet")
    first, second = audience.of_file(tmp_path / "a.parquet", 10)
    assert (first.user_ids, first.baskets) == (("7",), (["i1"],))
    assert (second.user_ids, second.baskets) == (("8",), None)
    parquet.write_table(pa.table({"user": [7]}), tmp_path / "b.parquet")
    with pytest.raises(ValueError, match=r"the column `user_id`; it has \['user'\]"):
        next(audience.of_file(tmp_path / "b.parquet", 10))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "line 2: must be .*Expecting"),
        ("[]", "line 2: must be"),
        ('{"user_id": 7}', "line 2: must be .* got"),
        ('{"user_id": "7", "item_ids": "50"}', "line 2: must be"),
        ('{"user_id": "7", "item_ids": [50]}', "line 2: must be"),
    ],
)
def test_a_line_that_cannot_be_read_leaves_no_file(model, tmp_path, line, reason):
    file = tmp_path / "who.jsonl"
    file.write_text('{"user_id": "ann"}\n' + line)
    with pytest.raises(ValueError, match=reason):
        _write(model, audience.of_file(file, 1), tmp_path / "a.csv", k=1)
    assert [path.name for path in tmp_path.iterdir()] == ["who.jsonl"]


def test_an_older_file_stays_until_the_new_one_is_whole(model, tmp_path):
    (tmp_path / "a.csv").write_text("old")

    def blocks():
        yield audience.UserBlock(["ann"])
        assert (tmp_path / "a.csv").read_text() == "old"

    _write(model, blocks(), tmp_path / "a.csv", k=1)
    assert "ann" in (tmp_path / "a.csv").read_text()


def test_memory_does_not_grow_with_users(model, tmp_path):
    def peak(users):
        tracemalloc.start()
        blocks = audience.of_users((f"u{i}" for i in range(users)), 100)
        _write(model, blocks, tmp_path / "a.jsonl", k=5)
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    few = peak(500)
    assert peak(5000) < 1.5 * few
