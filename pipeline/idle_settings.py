"""Names settings that were changed, and that the configured network does not use."""

from pipeline.config import PipelineConfig
from pipeline.messages import say

_OF_PAIRS = {  # Setting -> the one with which users by their history are trained.
    "train.batch_size": "model.history.users_per_batch",
    "train.learning_rate": "model.history.learning_rate",
    "train.learning_rate_schedule": None,
    "train.beta1": None,
    "train.beta2": None,
    "train.epsilon": None,
    "sampling.distribution": None,
    "sampling.popularity_alpha": None,
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
        section, field = name.split(".")
        part = getattr(config, section)
        value = getattr(part, field)
        there = f" Its own setting is `{instead}`." if instead else ""
        why = (
            "changes nothing: it is for the network of pairs, and `model.history` "
            f"describes that of users by their history.{there}"
        )
        if value != type(part).model_fields[field].default:
            said.append(f"`{name}: {value}` {why}")
        if name in searched:
            said.append(f"`{name}` in `tune.space` {why}")
    return said
