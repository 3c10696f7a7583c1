import hashlib
import subprocess
import sys

import numpy as np
import pydantic
import pytest
from pyarrow import parquet

from pipeline.data import latent_factors, synthetic

SMALL = synthetic.SyntheticConfig(num_users=60, num_items=50, num_interactions=900)


def _write(tmp_path, config, **kwargs):
    path = tmp_path / config.file_name()
    latent_factors.write(config, path, **kwargs)
    return parquet.read_table(path)


def test_has_the_size_asked_for_and_no_pair_twice(tmp_path):
    table = _write(tmp_path, SMALL)
    users, items = table["user_id"].to_numpy(), table["item_id"].to_numpy()
    assert table.column_names == ["user_id", "item_id", "rating", "timestamp"]
    assert len(users) == 900
    assert set(users) == set(range(60))
    assert set(items) <= set(range(50))
    assert len(set(zip(users, items, strict=True))) == 900
    assert np.bincount(users).min() >= 3
    assert np.bincount(users).max() <= 25
    assert set(table["rating"].to_numpy()) <= {1, 2, 3, 4, 5}
    ordered = np.lexsort((table["timestamp"].to_numpy(), users))
    assert ordered.tolist() == list(range(900))
    assert list(tmp_path.iterdir()) == [tmp_path / SMALL.file_name()]


@pytest.mark.parametrize("block_values", [50, 500])
def test_blocks_make_no_difference(tmp_path, monkeypatch, block_values):
    expected = _write(tmp_path, SMALL)
    monkeypatch.setattr(latent_factors, "_BLOCK_VALUES", block_values)
    monkeypatch.setattr(latent_factors, "_ROW_GROUP", 100)
    made = []
    assert _write(tmp_path, SMALL, progress=made.append).equals(expected)
    assert sum(made) == 900
    assert len(made) > 5
    file = parquet.ParquetFile(tmp_path / SMALL.file_name())
    assert file.num_row_groups == len(made)


def test_another_seed_is_another_data_set(tmp_path):
    other = SMALL.model_copy(update={"seed": 1})
    assert other.file_name() != SMALL.file_name()
    assert not _write(tmp_path, other).equals(_write(tmp_path, SMALL))


def test_every_setting_is_in_the_name():
    names = {SMALL.file_name()}
    for name in synthetic.SyntheticConfig.model_fields:
        value = getattr(SMALL, name) + 1
        names.add(SMALL.model_copy(update={name: value}).file_name())
    assert len(names) == 1 + len(synthetic.SyntheticConfig.model_fields)


def test_popularity_falls_as_zipf_has_it(tmp_path):
    config = synthetic.SyntheticConfig(
        num_users=3000, num_items=200, num_interactions=9000
    )
    counts = np.bincount(_write(tmp_path, config)["item_id"], minlength=200)
    counts = np.sort(counts)[::-1]
    # With exponent 1 the first 20 of 200 carry H(20) / H(200) = 3.60 / 5.88 = 61 %;
    # drawn without replacement and bent by taste, somewhat less.
    assert 0.4 < counts[:20].sum() / 9000 < 0.7
    flat = config.model_copy(update={"popularity_exponent": 0.0})
    counts = np.sort(np.bincount(_write(tmp_path, flat)["item_id"], minlength=200))
    assert counts[-20:].sum() / 9000 < 0.25


def test_taste_can_be_learnt(tmp_path):
    config = synthetic.SyntheticConfig(
        num_users=400,
        num_items=100,
        num_interactions=8000,
        num_factors=2,
        popularity_exponent=0,
    )
    table = _write(tmp_path, config)
    seen = np.zeros((400, 100))
    seen[table["user_id"].to_numpy(), table["item_id"].to_numpy()] = 1

    def strengths(matrix):
        matrix = matrix - matrix.mean(axis=1, keepdims=True)
        return np.linalg.svd(matrix - matrix.mean(axis=0), compute_uv=False)

    found = strengths(seen)
    chance = strengths(np.random.default_rng(0).permuted(seen, axis=1))
    # Two directions stand out from chance, as there are two factors.
    assert found[1] > 1.5 * chance[0]
    assert found[2] < 1.2 * chance[0]


@pytest.mark.parametrize(
    ("total", "counts"), [(9, [3, 3, 3]), (15, [5, 5, 5]), (10, [3, 3, 4])]
)
def test_interactions_per_user_at_its_limits(total, counts):
    config = synthetic.SyntheticConfig(
        num_users=3, num_items=10, num_interactions=total
    )
    found = latent_factors.interactions_per_user(config)
    assert sorted(found.tolist()) == counts


@pytest.mark.parametrize("total", [8, 16])
def test_impossible_sizes(total):
    with pytest.raises(
        pydantic.ValidationError, match=rf"from 9 .* to 15 .* got {total}"
    ):
        synthetic.SyntheticConfig(num_users=3, num_items=10, num_interactions=total)


def test_a_failure_leaves_nothing_behind(tmp_path):
    def fail(rows):
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        _write(tmp_path, SMALL, progress=fail)
    assert list(tmp_path.iterdir()) == []


def test_the_same_in_another_process(tmp_path):
    path = tmp_path / SMALL.file_name()
    latent_factors.write(SMALL, path)
    expected = hashlib.sha256(path.read_bytes()).hexdigest()
    path.unlink()
    script = (
        "import pathlib, sys; from pipeline.data import latent_factors, synthetic; "
        "config = synthetic.SyntheticConfig.model_validate_json(sys.argv[1]); "
        "latent_factors.write(config, pathlib.Path(sys.argv[2]))"
    )
    command = [sys.executable, "-c", script, SMALL.model_dump_json(), str(path)]
    subprocess.run(command, check=True)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == expected


@pytest.mark.parametrize("count", [1, 40, 900, 1000])
def test_smallest_values_wherever_they_are(count):
    values = np.arange(1000.0)
    shuffled = np.random.default_rng(0).permutation(values)
    # The sample, which is every 16th value, is unlike the other values.
    hidden = np.where(np.arange(1000) % 16, values, -values)
    for case in (values, shuffled, -values, hidden, -hidden):
        expected = sorted(np.argsort(case, kind="stable")[:count].tolist())
        assert latent_factors._smallest(case, count).tolist() == expected
