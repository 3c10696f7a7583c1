"""The README's table has every field of the configuration, as it is declared.

After a change that is meant, `UPDATE_GOLDEN=1 pytest tests/readme_test.py` writes the
table anew.
"""

import os
import pathlib

from pipeline import config_fields

ROOT = pathlib.Path(__file__).resolve().parents[1]
START, END = "<!-- fields -->\n", "\n<!-- end of fields -->"


def test_the_table_is_what_the_declarations_say():
    file = ROOT / "README.md"
    before, _, rest = file.read_text(encoding="utf-8").partition(START)
    table, _, after = rest.partition(END)
    declared = config_fields.markdown(config_fields.fields())
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(before + START + declared + END + after, encoding="utf-8")
        table = declared
    assert table == declared


def test_every_field_has_a_meaning():
    assert [field.name for field in config_fields.fields() if not field.meaning] == []


def test_a_newcomer_is_told_of_what_the_set_up_needs_and_runs_are_not_committed():
    assert "python3-venv" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert "/runs/" in (ROOT / ".gitignore").read_text().splitlines()
