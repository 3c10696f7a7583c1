"""Names settings that were changed, and that the configured network does not use."""

from ncf_model.config import ModelConfig, TrainConfig

_OF_PAIRS = {  # Field of `train` -> the field with which users by history are trained.
    "batch_size": "model.history.users_per_batch",
    "learning_rate": "model.history.learning_rate",
    "learning_rate_schedule": None,
    "beta1": None,
    "beta2": None,
    "epsilon": None,
}


def notes(model: ModelConfig, train: TrainConfig) -> list[str]:
    """Returns a sentence for each setting that differs from its default in vain."""
    if model.history is None:
        return []
    said = []
    for name, instead in _OF_PAIRS.items():
        value = getattr(train, name)
        if value != TrainConfig.model_fields[name].default:
            there = f" Its own setting is `{instead}`." if instead else ""
            said.append(
                f"`train.{name}: {value}` changes nothing: it is for the network of "
                "pairs, and `model.history` describes that of users by their history."
                f"{there}"
            )
    return said
