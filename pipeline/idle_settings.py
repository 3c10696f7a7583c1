"""Names settings that were changed, and that the configured network does not use."""

from ncf_model.config import TrainConfig
from pipeline.config import PipelineConfig
from pipeline.messages import say

_OF_PAIRS = {  # Field of `train` -> the field with which users by history are trained.
    "batch_size": "model.history.users_per_batch",
    "learning_rate": "model.history.learning_rate",
    "learning_rate_schedule": None,
    "beta1": None,
    "beta2": None,
    "epsilon": None,
}


def tell(config: PipelineConfig) -> None:
    """Prints the result of `notes` on standard error."""
    for note in notes(config):
        say(note, "bold yellow")


def notes(config: PipelineConfig) -> list[str]:
    """Returns a sentence for each setting that was changed, or is searched, in vain."""
    if config.model.history is None:
        return []
    said = []
    searched = config.searched()
    for name, instead in _OF_PAIRS.items():
        value = getattr(config.train, name)
        there = f" Its own setting is `{instead}`." if instead else ""
        why = (
            "changes nothing: it is for the network of pairs, and `model.history` "
            f"describes that of users by their history.{there}"
        )
        if value != TrainConfig.model_fields[name].default:
            said.append(f"`train.{name}: {value}` {why}")
        if f"train.{name}" in searched:
            said.append(f"`train.{name}` in `tune.space` {why}")
    return said
