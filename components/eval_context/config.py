"""Which baselines EvalContext computes: the typed, validated settings."""

import pydantic

from ncf_model.config import AUTO, Auto, Config, Positive


class BaselinesConfig(Config):
    """Simple recommenders (baselines) that are measured on the model's lists.

    Popularity is always among them. A value `auto` is chosen by a small search for the
    best NDCG@10 on the validation lists; docs/evaluation.md has the values tried.

    Attributes:
        item_knn_neighbours: how many neighbours item-kNN keeps per item; null leaves
            item-kNN out.
        ease_l2: the penalty of EASE (Steck, 2019); null leaves EASE out.
        ials_l2: the penalty of iALS (Rendle et al., 2021); null leaves iALS out.
        ials_unobserved: weight that iALS gives to a pair of user and item that did not
            occur; a pair that did weighs 1 more.
        ials_factors: width of the tables of iALS; `auto` is 128 from 500,000 pairs on,
            else 64.
        max_memory_mb: a baseline that would need more memory, by an estimate, is left
            out.
        max_seconds: a baseline that would take longer, by an estimate, is left out; one
            that takes longer only because of the search is measured without a search.
    """

    item_knn_neighbours: pydantic.PositiveInt | Auto | None = AUTO
    ease_l2: Positive | Auto | None = AUTO
    ials_l2: Positive | Auto | None = AUTO
    ials_unobserved: Positive | Auto = AUTO
    ials_factors: pydantic.PositiveInt | Auto = AUTO
    max_memory_mb: pydantic.PositiveInt = 2_000
    max_seconds: pydantic.PositiveInt = 600
