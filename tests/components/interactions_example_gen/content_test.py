import os

import pytest
from tfx.orchestration.portable import data_types
from tfx.types import standard_artifacts

from components.interactions_example_gen import component, content
from components.interactions_example_gen.config import ReadingConfig


def _write(path, text):
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    os.utime(path, (1_000_000, 1_000_000))
    return path


def _driven(path):
    """Returns the fingerprint that the node's driver puts into the cache key."""
    node = component.InteractionsExampleGen(str(path), reading=ReadingConfig())
    examples = standard_artifacts.Examples()
    info = data_types.ExecutionInfo(
        exec_properties=dict(node.exec_properties), output_dict={"examples": [examples]}
    )
    found = node.driver_class(None).run(info)
    text = found.exec_properties["input_fingerprint"].string_value
    [artifact] = found.output_artifacts["examples"].artifacts
    assert artifact.custom_properties["input_fingerprint"].string_value == text
    return text


def test_the_content_counts_and_the_time_does_not(tmp_path):
    file = _write(tmp_path / "data" / "a.csv", "u,i\n1,2\n")
    before = _driven(file)
    assert before.startswith("num_files:1,total_bytes:8,sha256:")
    _write(file, "u,i\n1,3\n")  # The same size, the same time of modification.
    assert _driven(file) != before
    _write(file, "u,i\n1,2\n")
    os.utime(file)
    assert _driven(file) == before


def test_of_a_folder_every_file_of_interactions_counts(tmp_path):
    _write(tmp_path / "data" / "a.csv", "u,i\n1,2\n")
    second = _write(tmp_path / "data" / "b.csv", "u,i\n1,3\n")
    folder = tmp_path / "data"
    before = _driven(folder)
    assert before.startswith("num_files:2,")
    _write(second, "u,i\n1,4\n")
    after = _driven(folder)
    assert after != before
    _write(folder / "README.md", "no interactions")
    assert _driven(folder) == after


@pytest.mark.parametrize("place", [0, 5, 9, 10, 25, -1])
def test_each_byte_of_each_piece_counts(tmp_path, monkeypatch, place):
    monkeypatch.setattr(content, "PIECE_BYTES", 5)
    data = bytearray(range(38))
    file = tmp_path / "a.csv"
    file.write_bytes(data)
    before = content.fingerprint([str(file)])
    data[place] ^= 1
    file.write_bytes(data)
    assert content.fingerprint([str(file)]) != before


def test_where_one_file_ends_and_another_begins_counts(tmp_path):
    def of(*contents):
        paths = []
        for name, text in zip("ab", contents, strict=True):
            (tmp_path / name).write_text(text)
            paths.append(str(tmp_path / name))
        return content.fingerprint(paths).partition("sha256:")[2]

    assert len({of("12", "3"), of("1", "23"), of("123", ""), of("", "123")}) == 4
