"""How a served model did on what happened since it was trained, as a JSON document."""

import pydantic

from ncf_model.documents import Document, Figures


class ServedRow(Document):
    """Some of the interactions since the training, each ranked among other items.

    Attributes:
        lists: how many interactions these are.
        metrics: HR@10 and NDCG@10 of the model.
        errors: the standard errors of `metrics`.
        baseline: the metrics of ranking by popularity, as the model knows popularity;
            {} for a group of users or items.
        first: the first day, ISO 8601; "" for a group.
        days: how many days these are; 0 for a group.
    """

    lists: int = 0
    metrics: Figures = {}
    errors: Figures = {}
    baseline: Figures = {}
    first: str = pydantic.Field("", alias="from")
    days: int = 0


class Served(ServedRow):
    """The model in service, evaluated on what came since it was trained.

    Attributes:
        model: the folder of the model.
        why_not: why nothing was evaluated; "" if something was.
        users: users with a new interaction.
        new_users: those of `users` whom the model did not know.
        new_items: items of the new interactions that the model did not know.
        already_known: pairs of user and item in the data that the model knew.
        groups: the figures of known and of new users and items.
        by_time: the figures day by day, or week by week.
    """

    model: str = ""
    why_not: str = ""
    users: int = 0
    new_users: int = 0
    new_items: int = 0
    already_known: int = 0
    groups: dict[str, ServedRow] = {}
    by_time: list[ServedRow] = []

    def to_file(self) -> str:
        """Returns the text of `since.json`: what is set, and nothing else."""
        return self.model_dump_json(by_alias=True, exclude_unset=True, indent=2) + "\n"
