"""Odd files of interactions, such as people have, and damaged or malicious ones.

Each case has a name, a function that writes the file, and the expected result: either
the counts of rows, users and items, worked out by hand, or a part of the message with
which the file is refused. The result of a mutation, drawn from a seed, is not known
beforehand. The only rule for it is that the file is refused cleanly or the counts add
up.
"""

import bz2
import gzip
import io
import json
import lzma
import os
import zipfile
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pyarrow as pa
from pyarrow import parquet

from tests.reliability import mutations

HEADER = "user,item,rating,timestamp\n"
TWO = HEADER + "1,10,5,100\n2,20,4,200\n"
READ = (2, 2, 2)  # The numbers of rows, users and items in `TWO`.


class Case(NamedTuple):
    """One odd input.

    Attributes:
        id: what is odd, as the name of the test case.
        name: the name of the file that is given as data set; empty if the folder is
            given.
        make: a function that writes the file into the folder that it is given.
        expected: the numbers of rows, users and items, or a part of the refusal. None
            if only the rule for mutations counts.
        settings: values for the command's option `--set`.
    """

    id: str
    name: str
    make: Callable[[str], object]
    expected: tuple[int, int, int] | str | None
    settings: tuple[str, ...] = ()


def write(name: str, content: str | bytes) -> Callable[[str], object]:
    def make(folder: str) -> None:
        data = content.encode() if isinstance(content, str) else content
        with open(os.path.join(folder, name), "wb") as f:
            f.write(data)

    return make


def _table(name: str, columns: list, names: list[str]) -> Callable[[str], object]:
    def make(folder: str) -> None:
        arrays = [c if isinstance(c, pa.Array) else pa.array(c) for c in columns]
        parquet.write_table(
            pa.Table.from_arrays(arrays, names=names), os.path.join(folder, name)
        )

    return make


def zipped(*entries: tuple[str, str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return packed.getvalue()


def _text(id_: str, content: str | bytes, expected: object, *settings: str) -> Case:
    return Case(id_, "r.csv", write("r.csv", content), expected, settings)


def _named(name: str, content: str | bytes, expected: object) -> Case:
    return Case(name, name, write(name, content), expected)


SKIP = "data.bad_rows=skip"
LONG = "x" * 100_000


def text_cases() -> Iterator[Case]:
    """Yields cases with odd contents of a `.csv` file."""
    yield from (
        _text("usual", TWO, READ),
        _text("empty", "", "must hold interactions"),
        _text("blank lines only", "\n\n\n", "must hold interactions"),
        _text("spaces only", "   \n", "at least a user and an item"),
        _text("header only", HEADER, "must hold interactions"),
        _text("header without line end", HEADER[:-1], "must hold interactions"),
        _text("no line end at the end", TWO[:-1], READ),
        _text("CR LF", TWO.replace("\n", "\r\n"), READ),
        _text("CR alone", TWO.replace("\n", "\r"), READ),
        _text("blank lines between", TWO.replace("\n", "\n\n"), READ),
        _text("byte order mark", b"\xef\xbb\xbf" + TWO.encode(), READ),
        _text("UTF-16", TWO.encode("utf-16"), "must be UTF-8 text"),
        _text("UTF-16 without mark", TWO.encode("utf-16-le"), "must be UTF-8 text"),
        _text("UTF-32", TWO.encode("utf-32"), "must be UTF-8 text"),
        _text("Latin-1 in an id", HEADER.encode() + b"\xe9,1,1,1\n", "UTF-8"),
        _text("Latin-1 in line 1", b"\xe9,1\n2,3\n", "UTF-8"),
        _text("a zero byte", "user,item\n1,\0\n", "zero bytes"),
        _text("zero bytes", b"\0" * 5000, "zero bytes"),
        _text("one column", "user\n1\n2\n", "at least a user and an item"),
        _text("one word", "hello", "at least a user and an item"),
        _text("a web page", "<html>\n<body>404</body>\n", "at least a user"),
        _text("unknown names", "alpha,beta\n1,2\n", "looks like a header"),
        _text("user twice", "user,user,item\n1,2,3\n", None),
        _text("a field too many", TWO + "3,30,4,300,x\n", "line 4: a row must have 4"),
        _text("a field too few", TWO + "3,30\n", "line 4: a row must have 4"),
        _text("a field too few, skipped", TWO + "3,30\n", (3, 2, 2), SKIP),
        _text("an open quote", HEADER + '"1,10,5,100\n2,20,4,200\n', "double quote"),
        _text("an open quote at the end", TWO + '3,"30', "line 4: a double quote"),
        _text("a quote over two lines", HEADER + '"1\n2",20,4,200\n', "double quote"),
        _text("a quote within", HEADER + '1,1"0,5,100\n2,20,4,200\n', READ),
        _text("quoted fields", HEADER + '"1","10","5","100"\n2,20,4,200\n', READ),
        _text("a blank user", HEADER + ",10,5,100\n", "must not be blank"),
        _text("a blank item", HEADER + "1, ,5,100\n", "must not be blank"),
        _text("a blank rating", HEADER + "1,10,,100\n", "finite number"),
        _text("a blank time", HEADER + "1,10,5,\n", "must be a time"),
        _text("rating 1e39", HEADER + "1,10,1e39,100\n", "line 2, column 'rating'"),
        _text("rating -1e39", HEADER + "1,10,-1e39,100\n", "finite number"),
        _text("rating inf", HEADER + "1,10,inf,100\n", "finite number"),
        _text("rating NaN", HEADER + "1,10,nan,100\n", "finite number"),
        _text("rating 0x10", HEADER + "1,10,0x10,100\n", "finite number"),
        _text("rating of 400 digits", HEADER + f"1,10,{'9' * 400},1\n", "finite"),
        _text("rating 1_000", HEADER + "1,10,1_000,100\n", "finite number"),
        _text("decimal comma", 'user,item,rating\n1,2,"4,5"\n', "finite number"),
        _text(
            *("decimal comma, said", 'user,item,rating\n1,2,"4,5"\n', (1, 1, 1)),
            "data.decimal=','",
        ),
        _text("time -1", HEADER + "1,10,5,-1\n", "from 1970"),
        _text("time 1e30", HEADER + "1,10,5,1e30\n", "must be a time"),
        _text("time NaN", HEADER + "1,10,5,nan\n", "must be a time"),
        _text("time of the year 1969", HEADER + "1,1,5,1969-01-01\n", "from 1970"),
        _text("30 February", HEADER + "1,1,5,2001-02-30\n", "must be a time"),
        _text("time of 19 digits", HEADER + f"1,1,5,{2**63}\n", None),
        _text("first row is a time", "2001-01-01,1,2\n2001-01-02,1,2\n", "a time"),
        _text("an id of 100,000 characters", f"user,item\n{LONG},1\n", (1, 1, 1)),
        _text(
            "a name of 100,000 characters", f"{LONG},item\n1,2\n", "looks like a header"
        ),
        _text("one word of 100,000", LONG, "at least a user and an item"),
        _text("a bad row of 100,000", f"{TWO}3,{LONG}\n", "line 4: a row must have"),
        _text("a line of 3 MB", "x" * (3 << 20), "a line must end within"),
        _text("3 MB within a quote", 'user,item\n1,"' + "\n" * (3 << 20), "line 2"),
        _text("5,000 columns", "a," * 5000 + "user,item\n" + "1," * 5001 + "1\n", None),
        _text("Rich markup", "user,item\n[/],[red]x\n2,[bold]\n", READ),
        _text("bad row with markup", "user,item\n[/red],\n", "must not be blank"),
        _text("escape sequences", "user,item\n\x1b[31mx,1\n2,3\n", READ),
        _text("bad row with escapes", HEADER + "1,2,\x1b[2J\x07,3\n", "finite number"),
        _text("escapes in names", "\x1b[2J,\x1b[31m\n1,2\n", None),
        _text("right-to-left", "user,item\n\u05e9\u05dc,\u0628\n2,3\n", READ),
        _text("emoji", "user,item\n😀,1\n😀,2\n", (2, 1, 2)),
        _text("composed and not", "user,item\né,1\ne\u0301,1\n", (2, 2, 1)),
        _text("no-break space", "user,item\n\u00a0,1\n", "must not be blank"),
        _text("zero-width space", "user,item\n\u200b,1\n", (1, 1, 1)),
        _text("line separator", "user,item\na\u2028b,1\n", (1, 1, 1)),
        _text("ids that are numbers", "user,item\n01,1\n1,1\n1.0,1\n", (3, 3, 1)),
        _text("ids with spaces", "user,item\n 1,1\n1,1\n", (2, 2, 1)),
        _text("a formula", "user,item\n=1+1,@SUM(1)\n", (1, 1, 1)),
        _text("null, None, NA", "user,item\nnull,None\nNA,nan\n", READ),
        _text("semicolons", TWO.replace(",", ";"), READ),
        _text("tabs", TWO.replace(",", "\t"), READ),
        _text("bars", TWO.replace(",", "|"), READ),
        _text("double colons", TWO.replace(",", "::"), READ),
        _text("spaces", TWO.replace(",", " "), "at least a user and an item"),
        _text("spaces, said", TWO.replace(",", " "), READ, "data.delimiter=space"),
        _text("mixed delimiters", "user,item\n1,2\n3;4\n", "line 3: a row must have"),
        _text("repeats", HEADER + "1,10,5,100\n" * 3, (3, 1, 1)),
        _text("comment lines", "# a comment\n" + TWO, None),
        _text("JSON lines", '{"user": 1, "item": 2}\n', None),
        _text("a JSON list", '[{"user": 1}]', None),
        _text("SQL", "INSERT INTO x VALUES (1, 2);\n", None),
        _text("gzip without its name", gzip.compress(TWO.encode()), "UTF-8"),
        _text("PNG", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "zero bytes"),
        _text(
            "a column that is not there", TWO, "customer", "data.columns.user=customer"
        ),
        _text("a position that is not there", TWO, "position 9", "data.columns.user=9"),
        _text("one column for two", TWO, "one purpose", "data.columns.item=user"),
        _text(
            *("min_rating without ratings", "user,item\n1,2\n", "needs ratings"),
            "data.min_rating=3",
        ),
        _text("no user", "item,rating\n1,2\n", None),
    )


def packed_cases() -> Iterator[Case]:
    """Yields archives: good ones, cut or damaged ones, and decompression bombs."""
    two = TWO.encode()
    whole = gzip.compress(two)
    yield from (
        _named("r.csv.gz", whole, READ),
        _named("two.csv.gz", whole + gzip.compress(b"3,30,4,300\n"), (3, 3, 3)),
        _named("cut.csv.gz", whole[:-4], "complete gzip"),
        _named("head.csv.gz", whole[:8], "complete gzip"),
        _named("flip.csv.gz", whole[:-6] + b"\1" + whole[-5:], "complete gzip"),
        _named("tail.csv.gz", whole + b"garbage", "complete gzip"),
        _named("text.csv.gz", two, "complete gzip"),
        _named("empty.csv.gz", b"", "must hold interactions"),
        _named("twice.csv.gz", gzip.compress(whole), None),
        _named("line.csv.gz", gzip.compress(b"x" * (48 << 20)), "a line must end"),
        _named("blank.csv.gz", gzip.compress(b"\n" * (48 << 20)), "must hold inter"),
        _named("zeros.csv.gz", gzip.compress(b"\0" * (48 << 20)), "zero bytes"),
        _named(
            "late.csv.gz",
            gzip.compress(two + b"x" * (48 << 20)),
            "line 4: a line must end",
        ),
        _named("r.csv.bz2", bz2.compress(two), READ),
        _named("cut.csv.bz2", bz2.compress(two)[:-4], "complete bz2"),
        _named("text.csv.bz2", two, "complete bz2"),
        _named("line.csv.bz2", bz2.compress(b"x" * (8 << 20)), "a line must end"),
        _named("r.csv.xz", lzma.compress(two), READ),
        _named("cut.csv.xz", lzma.compress(two)[:-4], "complete xz"),
        _named("text.csv.xz", two, "complete xz"),
        _named("text.csv.zst", two, "complete zst"),
        _named("r.zip", zipped(("r.csv", TWO)), READ),
        _named("two.zip", zipped(("a.csv", TWO), ("b.csv", TWO)), "must hold one file"),
        _named("none.zip", zipped(("a.txt.exe", TWO)), "must hold one file"),
        _named("empty.zip", zipped(), "must hold one file"),
        _named("slip.zip", zipped(("../../r.csv", TWO)), None),
        _named("cut.zip", zipped(("r.csv", TWO))[:-30], "complete zip"),
        _named("text.zip", two, "complete zip"),
        _named("nested.zip", zipped(("r.csv.gz", "x")), "must hold one file"),
    )


def named_cases() -> Iterator[Case]:
    """Yields files of other formats, which the reader tells apart by their names."""
    lines = b'{"user": 1, "item": 2}\n{"user": 2, "item": 3}\n'
    deep = b'{"user": ' + b"[" * 100_000 + b"\n"
    yield from (
        _named("u.data", "1\t10\t5\t100\n2\t20\t4\t200\n", READ),
        _named("ratings.dat", "1::10::5::100\n2::20::4::200\n", READ),
        _named("r.tsv", TWO.replace(",", "\t"), READ),
        _named("r.CSV", TWO, READ),
        _named("r.jsonl", lines, READ),
        _named("half.jsonl", lines[:-10], "JSON object"),
        _named("list.jsonl", b"[1, 2]\n", "JSON object"),
        _named("deep.jsonl", deep, "JSON object"),
        _named("kinds.jsonl", lines + b'{"user": "a", "item": 2}\n', "of one kind"),
        _named("lack.jsonl", lines + b'{"user": 3}\n', "blank"),
        _named("nest.jsonl", b'{"user": {"id": 1}, "item": 2}\n', "strings or int"),
        _named("nul.jsonl", lines + b'{"user": "\\u0000", "item": 2}\n', "of one kind"),
        _named("bad.jsonl", b'{"user": "\xff", "item": 2}\n', "UTF-8"),
        _named("key.jsonl", lines + b'{"user": 1, "\xff": 2}\n', "keys must be UTF-8"),
        _named("twice.jsonl", b'{"user": 1, "user": 2, "item": 3}\n', None),
        _named("r.xlsx", b"PK\3\4", "a spreadsheet"),
        _named("r.json", json.dumps([{"user": 1}]), "JSON"),
        _named("r.pkl", b"\x80\4.", "a table"),
        _named("r.sqlite", b"SQLite format 3\0", "a database"),
        _named("r.tar", b"", "an archive"),
        _named("r.doc", b"", "must be a file of interactions"),
        _named("noname", TWO, "must be a file of interactions"),
        _named(".hidden.csv", TWO, "must be a file of interactions"),
        _named("r [1].csv", TWO, None),
        _named("r\n2.csv", TWO, None),
        _named("[red]r.csv", TWO, None),
        _named("-r.csv", TWO, READ),
        _named("Zoë 😀.csv", TWO, READ),
    )


def _text_of(values: list[bytes]) -> pa.Array:
    """Returns strings that nobody checked to be UTF-8."""
    return pa.Array.from_buffers(pa.string(), len(values), pa.array(values).buffers())


def _odd_name(folder: str) -> None:
    table = io.BytesIO()
    parquet.write_table(pa.table({"user": [1], "item": [2], "zzzz": [3]}), table)
    write("r.parquet", table.getvalue().replace(b"zzzz", b"z\xffzz"))(folder)


def parquet_cases() -> Iterator[Case]:
    """Yields cases with odd Parquet files."""

    def case(id_: str, columns: list, names: list[str], expected: object) -> Case:
        return Case(id_, "r.parquet", _table("r.parquet", columns, names), expected)

    pair = ["user", "item"]
    yield from (
        case("parquet", [["a", "b"], ["c", "d"]], pair, READ),
        case("numbers", [[1, 2], [3, 4]], pair, READ),
        case("null id", [["a", None], ["c", "d"]], pair, "row 2, column 'user'"),
        case("line end", [["a", "b\nc"], ["c", "d"]], pair, "one line of text"),
        case("CR", [["a", "b"], ["c\r", "d"]], pair, "one line of text"),
        case("zero byte", [["a", "b\0c"], ["c", "d"]], pair, "without zero bytes"),
        case("duplicate", [["a"], ["b"], ["c"]], ["user", *pair], "more than once"),
        case("floats", [[1.0], [2.0]], pair, "strings or integers"),
        case("lists", [[["a"]], ["b"]], pair, "strings or integers"),
        case("booleans", [[True], ["b"]], pair, "strings or integers"),
        case("no rows", [pa.array([], pa.string())] * 2, pair, "must hold inter"),
        case("no columns", [], [], "must be a column"),
        case("one column in parquet", [["a"]], ["user"], "must be a column"),
        case("all null", [pa.nulls(2), pa.nulls(2)], pair, "blank"),
        case(
            *("dictionary", [pa.array(["a", "b"]).dictionary_encode(), ["c", "d"]]),
            *(pair, READ),
        ),
        case(
            *("rating 1e39 in parquet", [["a"], ["b"], [1e39]], [*pair, "rating"]),
            "finite number",
        ),
        case(
            *("rating null in parquet", [["a"], ["b"], [None]], [*pair, "rating"]),
            "finite number",
        ),
        case(
            *("time before 1970", [["a"], ["b"], [-5]], [*pair, "timestamp"]),
            "from 1970",
        ),
        case(
            *("not UTF-8 in parquet", [pa.array([b"\xff"]), ["b"]], pair, "UTF-8 text"),
        ),
        case("text not UTF-8", [_text_of([b"\xff"]), ["b"]], pair, "Invalid UTF8"),
        case(
            *("an unused column", [["a"], ["b"], _text_of([b"\xff"])], [*pair, "x"]),
            "complete Parquet",
        ),
        case("uint64", [pa.array([2**64 - 1], pa.uint64()), ["b"]], pair, (1, 1, 1)),
        Case("a name not UTF-8", "r.parquet", _odd_name, "complete Parquet"),
        _named("empty.parquet", b"", "complete Parquet"),
        _named("text.parquet", TWO, "complete Parquet"),
        _named("magic.parquet", b"PAR1" * 10, "complete Parquet"),
    )


def _folder(id_: str, make: Callable[[str], object], expected: object) -> Case:
    return Case(id_, "", make, expected)


def _many(*makes: Callable[[str], object]) -> Callable[[str], object]:
    return lambda folder: [make(folder) for make in makes]


def folder_cases() -> Iterator[Case]:
    """Yields folders as data sets, and links, pipes and devices in place of files."""
    usual = write("a.csv", TWO)

    def inside(name: str, how: Callable[[str], object]) -> Callable[[str], object]:
        return _many(usual, lambda folder: how(os.path.join(folder, name)))

    def link(target: str) -> Callable[[str], object]:
        return lambda path: os.symlink(target, path)

    yield from (
        _folder("an empty folder", lambda folder: None, "there is none"),
        _folder("two files", _many(usual, write("b.csv", TWO)), (4, 2, 2)),
        _folder("Spark's marks", _many(usual, write("_SUCCESS", "")), READ),
        _folder("an empty file beside", _many(usual, write("b.csv", "")), "b.csv"),
        _folder(
            "other columns beside",
            _many(usual, write("b.csv", "user,item\n1,2\n")),
            "all files must have the columns of the first",
        ),
        _folder("a FIFO inside", inside("b.csv", os.mkfifo), "a pipe or a device"),
        _folder("a folder a.csv inside", inside("b.csv", os.mkdir), "it is a folder"),
        _folder("a broken link", inside("b.csv", link("absent")), "cannot be read"),
        _folder("a link to itself", inside("b.csv", link("b.csv")), "cannot be read"),
        _folder("a link to a device", inside("b.csv", link("/dev/zero")), "a device"),
        _folder("a link to the file", inside("b.csv", link("a.csv")), (4, 2, 2)),
        Case("a FIFO", "p.csv", lambda f: os.mkfifo(f"{f}/p.csv"), "a pipe"),
        Case("a device", "d.csv", lambda f: os.symlink("/dev/null", f"{f}/d.csv"), "a"),
        Case("nothing there", "absent.csv", lambda f: None, "must be one of"),
        Case("5,000 characters", "n" * 5000, lambda f: None, "can be looked at"),
        Case("a zero byte in the name", "a\0b.csv", lambda f: None, "`data.dataset`"),
        Case(
            "a folder with [",
            "x[1]/r.csv",
            _many(lambda f: os.mkdir(f"{f}/x[1]"), write("x[1]/r.csv", TWO)),
            "none of `*?[`",
        ),
    )


def all_cases(*, mutated: int, seed: int) -> list[Case]:
    """Returns every case: those made by hand, then `mutated` mutations from `seed`."""
    made = (text_cases, packed_cases, named_cases, parquet_cases, folder_cases)
    return [
        *(case for make in made for case in make()),
        *mutations.mutations(mutated, seed),
    ]
