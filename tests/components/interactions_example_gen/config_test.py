import pydantic
import pytest

from components.interactions_example_gen.config import ReadingConfig


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"delimiter": ""}, "one ASCII character"),
        ({"delimiter": "ab"}, "one ASCII character"),
        ({"delimiter": "\n"}, "one ASCII character"),
        ({"delimiter": "é"}, "one ASCII character"),
        ({"min_interactions": 0}, "greater than 0"),
        ({"min_interactions": 3, "max_interactions": 2}, "got 2 and 3"),
        ({"min_rating": float("nan")}, "finite number"),
        ({"columns": {"user": "u"}, "header": False}, "only if there is a header"),
        ({"columns": {"user": -1}}, "greater than or equal to 0"),
        ({"decimal": ";"}, "Input should be '.' or ','"),
        ({"timestamp_format": "dd/mm/yyyy"}, "in strptime's signs"),
        ({"timestamp_format": "%d/%Q"}, "bad directive"),
        ({"timestamp_format": "%Y-%m-%dT%H:%M%z"}, "cannot read zones"),
        ({"columns": {"user": None}}, "columns.user"),
        ({"colums": {}}, "Extra inputs are not permitted"),
    ],
)
def test_refuses(values, said):
    with pytest.raises(pydantic.ValidationError, match=said):
        ReadingConfig(**values)


@pytest.mark.parametrize(
    ("given", "delimiter"),
    [
        *[("tab", "\t"), ("\\t", "\t"), ("\t", "\t"), ("comma", ",")],
        *[("space", " "), ("::", "::"), ("auto", "auto"), (";", ";")],
    ],
)
def test_delimiters(given, delimiter):
    assert ReadingConfig(delimiter=given).delimiter == delimiter


def test_limits_may_be_equal():
    config = ReadingConfig(min_interactions=3, max_interactions=3)
    assert config.max_interactions == 3


def test_survives_json():
    config = ReadingConfig(columns={"user": "u", "item": 3}, min_rating=3.5)
    assert ReadingConfig.model_validate_json(config.model_dump_json()) == config
