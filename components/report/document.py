"""`summary.json`, typed. The page is drawn from it alone, so both say the same."""

from typing import Any

import pydantic

from ncf_model.documents import Document, Figure, Figures
from ncf_model.evaluation.result import Comparison, Quality, Rule
from ncf_model.training.history import History


class Train(Document):
    """The training in short.

    Attributes:
        examples_per_second: training rows per second, median over the epochs.
        epochs: how many were trained without the validation items.
        best_epoch: number of the one that was chosen.
        final_loss: of the last epoch of the model that ships.
    """

    examples_per_second: float
    epochs: int
    best_epoch: int
    final_loss: Figure


class Setting(Document):
    """A field of the configuration.

    Attributes:
        value: what the run was given, or what Tuner chose.
        default: what it would have been.
        tuned: whether Tuner chose it.
    """

    value: Any = None
    default: Any = None
    tuned: bool = False

    @property
    def changed(self) -> bool:
        """Whether the value differs from the default."""
        return bool(self.value != self.default)


class Histogram(Document):
    """How many users, or items, have how many interactions.

    Attributes:
        edges: bounds of the bins, ascending, one more than `counts`.
        counts: how many fall into each bin; its upper bound is not part of it.
        median: of the interactions per user or item.
        largest: the most that one has.
    """

    edges: list[float] = []
    counts: list[int] = []
    median: float = 0.0
    largest: int = 0


class Distribution(Document):
    """How the interactions are spread.

    Attributes:
        per_user: interactions of a user.
        per_item: interactions of an item, with what is held out.
        first_time: time of the earliest interaction, UTC, ISO 8601; null without times.
        last_time: time of the latest.
    """

    per_user: Histogram = Histogram()
    per_item: Histogram = Histogram()
    first_time: str | None = None
    last_time: str | None = None


class Item(Document):
    """An item, as people see it.

    Attributes:
        item_id: the raw id.
        title: "" where no titles are known.
        score: the probability that the model gives; null where it was not asked.
    """

    item_id: str
    title: str = ""
    score: Figure = None


class ShownUser(Document):
    """A user of the evaluation, with what the model recommends.

    Attributes:
        user_id: the raw id.
        interactions: how many the user has.
        history: the latest items before the held-out one, the latest first.
        held_out: the item that the model should have found; null where nothing is held
            out.
        rank: place of the held-out item among the candidates, from 1; null if unknown.
        candidates: how many candidates there were.
        badly_served: whether the user was chosen because the rank is so bad.
        recommendations: the model's best items, the best first.
    """

    user_id: str
    interactions: int
    history: list[Item] = []
    held_out: Item | None = None
    rank: int | None = None
    candidates: int = 0
    badly_served: bool = False
    recommendations: list[Item] = []


class Node(Document):
    """A node of the pipeline, as a run executed it.

    Attributes:
        name: the node's id.
        seconds: how long it took; of the run that computed the result, if cached.
        cached: whether an earlier result was used again.
        memory_mb: peak of the run's memory while the node ran, in MB of 10^6 bytes;
            null if it was not measured.
        inputs: numbers of the artifacts that it read.
        outputs: numbers of the artifacts that it wrote.
    """

    name: str
    seconds: float | None = None
    cached: bool = False
    memory_mb: float | None = None
    inputs: list[int] = []
    outputs: list[int] = []


class Artifact(Document):
    """Something that a node wrote.

    Attributes:
        number: its id in ML Metadata.
        type: such as `Examples` or `Model`.
        uri: the folder it is in.
    """

    number: int
    type: str
    uri: str


class Run(Document):
    """What only the runner knows, which adds it when all nodes have ended.

    Attributes:
        id: the run's id in ML Metadata.
        started: UTC, ISO 8601.
        command: what was typed; "" where nothing was.
        nodes: in the order of running.
        artifacts: what the nodes read and wrote.
    """

    id: str = ""
    started: str = ""
    command: str = ""
    nodes: list[Node] = []
    artifacts: list[Artifact] = []


class ServedRow(Document):
    """Some of the interactions that came since, each ranked among 99 others.

    Attributes:
        lists: how many.
        metrics, errors: with standard errors.
        baseline: the metrics of popularity, as the model knows it; {} of a group.
        first: the first day, ISO 8601; "" of a group.
        days: how many; 0 of a group.
    """

    lists: int = 0
    metrics: Figures = {}
    errors: Figures = {}
    baseline: Figures = {}
    first: str = pydantic.Field("", alias="from")
    days: int = 0


class Served(ServedRow):
    """The model in service, judged on what came since it was trained.

    Attributes:
        model: its folder.
        why_not: why nothing was judged; "" if something was.
        users, new_users, new_items, already_known: users with lists, those of them and
            the items that the model did not know, and pairs that it did.
        groups: figures of known and new users and items.
        by_time: day by day, or week by week.
    """

    model: str = ""
    why_not: str = ""
    users: int = 0
    new_users: int = 0
    new_items: int = 0
    already_known: int = 0
    groups: dict[str, ServedRow] = {}
    by_time: list[ServedRow] = []


class Summary(Quality):
    """The result of a run.

    Attributes:
        dataset: the name of the data.
        num_users: users with an interaction.
        num_items: distinct items.
        num_interactions: distinct pairs of user and item.
        candidates: what was ranked, such as "of 100 candidates".
        ranked: the candidates, the same for every model and baseline.
        catalogue_digest: of the sorted ids of all items of the data.
        baseline: the metrics of ranking by popularity.
        slices: the figures of groups of lists, by `feature=group`.
        baseline_settings: of each baseline what was chosen, and under `tried` what was
            tried, with its NDCG@10 on the validation lists.
        baselines_left_out: why a baseline has no figures, by its name.
        blessed: whether every rule of the gate holds.
        not_blessed_because: a sentence for each rule that does not hold.
        rules: all rules of the gate.
        pushed_to: where the model was pushed; null if it was not.
        not_pushed_because: why a blessed model was not pushed; null of any other.
        seconds: how long each node took; {} where the runner does not tell.
        cached: the nodes whose earlier result was used again.
        train: the training in short.
        history: the training, epoch by epoch.
        config: every field of the configuration, by its dotted name.
        data: what reading found, counts that InteractionsExampleGen took.
        lists: what sampling found, counts that NegativeSampling took.
        distribution: how the interactions are spread.
        users: some users with what the model recommends.
        served: how the model in service did on what came since; null if nobody looked.
        run: what only the runner knows.
        versions: of the software.
    """

    dataset: str
    num_users: int
    num_items: int
    num_interactions: int
    candidates: str = ""
    ranked: str = ""
    catalogue_digest: str = ""
    baseline: Figures = {}
    slices: dict[str, Comparison] = {}
    baseline_settings: dict[str, dict[str, Any]] = {}
    baselines_left_out: dict[str, str] = {}
    blessed: bool = False
    not_blessed_because: list[str] = []
    rules: list[Rule] = []
    pushed_to: str | None = None
    not_pushed_because: str | None = None
    seconds: dict[str, float] = {}
    cached: list[str] = []
    train: Train
    history: History | None = None
    config: dict[str, Setting] = {}
    data: dict[str, Any] = {}
    lists: dict[str, Any] = {}
    distribution: Distribution = Distribution()
    users: list[ShownUser] = []
    served: Served | None = None
    run: Run = Run()
    versions: dict[str, str] = {}
