"""A small data set, and its files of the official NCF's form."""

import pytest

from pipeline import config as config_module
from pipeline.data.catalogue import Dataset
from pipeline.offline import sample

# In order of time. All users have item 7, two have item 3, one has each other item.
INTERACTIONS = {
    "b": ["1", "7"],
    "a": ["7", "2", "3", "4"],
    "c": ["7"],
    "d": ["3", "5", "10", "7"],
}


@pytest.fixture
def dataset(tmp_path):
    """A file of the interactions, in which users alternate and time runs backwards."""
    lines = [
        f"{user},{items[place]},{1000 + place}\n"
        for place in (3, 2, 1, 0)
        for user, items in INTERACTIONS.items()
        if place < len(items)
    ]
    path = tmp_path / "interactions.csv"
    path.write_text("user,item,timestamp\n" + "".join(lines))
    return Dataset("interactions", path)


@pytest.fixture
def write_samples():
    """Returns a function that writes TFRecord files as `ncf sample` does."""

    def write(dataset, output, *, epochs=2, train_prebatch_size=7, **settings):
        values = {"num_negatives": 3, "eval_negatives": 4} | settings
        config = config_module.load(
            None, [f"sampling.{k}={v}" for k, v in values.items()] + ["seed=5"]
        )
        form = sample.OutputForm(
            train_prebatch_size=train_prebatch_size, eval_prebatch_size=10
        )
        return sample.sample(config, dataset, output, form=form, epochs=epochs)

    return write
