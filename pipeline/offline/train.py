"""Trains NeuMF on files of the official NCF's offline form, without TFX and Beam."""

import dataclasses
import itertools
import json
import pathlib
import time
from collections.abc import Callable, Iterator

import keras
import numpy as np
from absl import logging

from ncf_model.config import TrainConfig
from ncf_model.network import model
from ncf_model.training import data, strategy, training_loop, validation
from ncf_model.training.training_history import Epoch
from pipeline.config import PipelineConfig
from pipeline.offline import official_reader, sample
from pipeline.offline.rows import ListBlock

MODEL_FILE = "model.keras"
HISTORY_FILE = "history.json"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
    """The files, named like the official NCF's flags.

    Attributes:
        train_dataset_path: pattern of training files; a folder is an epoch.
        eval_dataset_path: pattern of files of ranked lists.
        input_meta_data_path: the JSON file that belongs to both.
    """

    train_dataset_path: str
    eval_dataset_path: str
    input_meta_data_path: str


def train(
    config: PipelineConfig,
    source: Source,
    output: pathlib.Path,
    *,
    report: Callable[[Epoch], None] = lambda epoch: None,
) -> list[Epoch]:
    """Writes `model.keras` and `history.json` to `output`; returns the history.

    Each epoch trains on the rows of its folder, and is evaluated on the lists without
    their masked items. The model is that of the last epoch. No epoch is chosen, because
    the lists are for evaluation.

    Args:
        config: of which `seed`, `model` and `train` are used, without `train.refit`,
            because the files decide what is trained on.
        source: where the files are.
        output: a folder that does not exist, or is empty.
        report: called with each epoch when it has ended.

    Raises:
        ValueError: a file is absent or does not fit its metadata, there are too few
            epochs, a field is set that cannot be used here, `output` is not empty, or
            the loss is not finite. Nothing is written then.
    """
    sample.check_output(output)
    _check(config.train)
    metadata = official_reader.read_metadata(source.input_meta_data_path)
    epochs = official_reader.Epochs(source.train_dataset_path, metadata)
    if len(epochs) < config.train.epochs:
        raise ValueError(
            f"There must be a folder of rows for each of {config.train.epochs} epochs; "
            f"`train_dataset_path` matches {len(epochs)}. Write more with `ncf sample "
            f"--epochs`, or set `train.epochs={len(epochs)}`."
        )
    lists = official_reader.read_lists(source.eval_dataset_path, metadata)
    keras.utils.set_random_seed(config.seed)
    distribution = strategy.make_strategy(config.train)
    network = model.NeuMF(
        config.model, num_users=metadata.num_users, num_items=metadata.num_items
    )
    with distribution.scope():
        history = []
        for epoch in _epochs(network, epochs, _validator(network, lists), config):
            report(epoch)
            history.append(epoch)
            target = config.train.hit_rate_target
            if target and (epoch.hit_rate or 0.0) >= target:
                break
    output.mkdir(parents=True, exist_ok=True)
    network.save(output / MODEL_FILE)
    told = [epoch.model_dump(by_alias=True, exclude_unset=True) for epoch in history]
    text = json.dumps({"epochs": told}, indent=2) + "\n"
    (output / HISTORY_FILE).write_text(text, encoding="utf-8")
    logging.info("Trained %d epochs; model in %s.", len(history), output)
    return history


def _check(train: TrainConfig) -> None:
    if train.patience is not None:
        raise ValueError(
            "`train.patience` must not be set: no epoch is chosen here, since the "
            f"lists are what the model is evaluated by; got {train.patience}. Set "
            "`train.epochs`."
        )
    for field in ("pretrain_epochs", "mlperf_log"):
        if value := getattr(train, field):
            raise ValueError(f"`train.{field}` works in `ncf run` only; got {value}.")


def _epochs(
    network: model.NeuMF,
    epochs: official_reader.Epochs,
    validator: validation.Validation,
    config: PipelineConfig,
) -> Iterator[Epoch]:
    """Trains; yields each epoch once its weights are in the network."""
    settings = config.train
    drawn = data.prefetched(epochs, range(settings.epochs))
    first = next(drawn)
    loop = training_loop.TrainingLoop(
        network, settings, num_negatives=first[1].shape[1] - 1
    )
    cosine = settings.learning_rate_schedule == "cosine"
    decay_steps = loop.steps(len(first[0])) * settings.epochs if cosine else 0
    for number, (users, items) in enumerate(itertools.chain([first], drawn), 1):
        started = time.monotonic()
        # The loss of the last block is the mean over the whole epoch.
        *_, (_, loss) = loop.epoch(users, items, decay_steps, name=f"epoch {number}")
        loop.write_weights(decay_steps=decay_steps)
        seconds = time.monotonic() - started
        hit_rate, ndcg = validator.metrics()
        yield Epoch(
            epoch=number,
            loss=loss,
            hit_rate=hit_rate,
            ndcg=ndcg,
            seconds=seconds,
            examples_per_second=items.size / seconds,
        )


def _validator(network: model.NeuMF, lists: ListBlock) -> validation.Validation:
    """Returns a validator of `network` on the lists without their masked items."""
    users, items = (
        {b"%d" % index: index for index in range(size)}
        for size in (network.num_users, network.num_items)
    )
    user_ids, item_ids = np.array(list(users)), np.array(list(items), object)
    candidates = [
        item_ids[row[~masked]].tolist()
        for row, masked in zip(lists.items, lists.masked, strict=True)
    ]
    return validation.Validation(
        network,
        user_ids[lists.users].tolist(),
        candidates,
        users=users,
        items=items,
    )
