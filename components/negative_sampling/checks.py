"""Sums up a run of NegativeSampling, and checks that the result can be used."""

from typing import Any

from components.negative_sampling.plan import Plan
from ncf_model.config import SamplingConfig

COUNTS = (
    "num_users",
    "train_positives",
    "train_rows_per_epoch",
    "validation_lists",
    "eval_lists",
    "short_lists",
    "users_without_eval",
    "users_not_sampled",
)

_RULES = ("split_time", "eval_users")


def summary(counts: dict[str, int], *, plan: Plan) -> dict[str, int | str]:
    """Returns the contents of `sampling.json` and of the custom properties.

    Args:
        counts: by name; a missing count is 0.
        plan: what was sampled.
    """
    return {
        **{name: int(counts.get(name, 0)) for name in COUNTS},
        **{name: count for name, count in counts.items() if name not in COUNTS},
        "num_items": plan.num_items,
        "seed": plan.seed,
        "mode": plan.config.mode,
        "sampling": plan.config.model_dump_json(),
    }


def check_summary(
    found: dict[str, Any], *, num_users: int, config: SamplingConfig
) -> None:
    """Raises ValueError if the trainer or the evaluator could not use the result.

    Args:
        found: the result of `summary`.
        num_users: size of the vocabulary of users.
        config: the configuration of the sampling.
    """
    if found["num_users"] != num_users:
        raise ValueError(
            "There must be one record for each user of the vocabulary; got "
            f"{found['num_users']} records for {num_users} users. Give "
            "`transform_graph` and `transformed_examples` of the same Transform."
        )
    if not found["train_positives"]:
        raise ValueError(
            "Nothing is left to train on: all interactions are held out "
            f"({_rule(config)}). Choose a later `split_time`."
        )
    if not found["eval_lists"]:
        raise ValueError(
            "Nothing can be evaluated: no user has an interaction to hold out, one to "
            f"train on and an item not seen yet ({_rule(config)}; {num_users} users, "
            f"{found['num_items']} items). Use more data, another split "
            "or more `eval_users`."
        )


def _rule(config: SamplingConfig) -> str:
    names = {"split", *(name for name in _RULES if name in config.model_fields_set)}
    return config.model_dump_json(include=names)
