"""The JSON schemas in docs/schemas are those of the models in the code.

After a change that is meant, `UPDATE_GOLDEN=1 pytest tests/schemas_test.py` writes
them anew.
"""

import json
import os
import pathlib

import pytest

from components.report.document import Summary
from ncf_model import field_docs
from ncf_model.evaluation.result import EvaluationResult
from ncf_model.training.training_history import History

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "docs" / "schemas"
SCHEMAS = {
    "evaluation": EvaluationResult,
    "history": History,
    "summary": Summary,
}


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_schema_is_that_of_the_code(name):
    schema = field_docs.described_schema(SCHEMAS[name])
    text = json.dumps(schema, indent=2) + "\n"
    file = FOLDER / f"{name}.schema.json"
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(text, encoding="utf-8")
    assert json.loads(file.read_text(encoding="utf-8")) == schema


def test_every_key_of_the_summary_has_a_meaning():
    schema = field_docs.described_schema(Summary)
    parts = [schema, *schema["$defs"].values()]
    missing = [
        f"{part['title']}.{name}"
        for part in parts
        for name, declared in part.get("properties", {}).items()
        if not declared.get("description")
    ]
    assert missing == []
