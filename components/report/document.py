"""The contents of `summary.json`, typed; the HTML page is made from them alone."""

from typing import Any

from ncf_model.documents import Document, Figure, Figures
from ncf_model.evaluation.result import Comparison, Quality, Rule
from ncf_model.evaluation.served_result import Served
from ncf_model.training.training_history import History


class Train(Document):
    """The training in short.

    Attributes:
        examples_per_second: training rows per second, median over the epochs.
        epochs: how many epochs were trained without the validation items.
        best_epoch: number of the epoch that was chosen.
        final_loss: of the last epoch of the model that ships.
    """

    examples_per_second: float
    epochs: int
    best_epoch: int
    final_loss: Figure


class Setting(Document):
    """A field of the configuration.

    Attributes:
        value: the value in the run: that of the configuration, or Tuner's.
        default: the value where the configuration does not set one.
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
        counts: how many users or items are in each bin; a bin's upper bound is not part
            of the bin.
        median: the median number of interactions per user or item.
        largest: the largest number of interactions of a user or item.
    """

    edges: list[float] = []
    counts: list[int] = []
    median: float = 0.0
    largest: int = 0


class Distribution(Document):
    """How the interactions are spread.

    Attributes:
        per_user: how many interactions users have.
        per_item: how many interactions items have, held-out ones included.
        first_time: time of the earliest interaction, UTC, ISO 8601; null without times.
        last_time: time of the latest interaction, UTC, ISO 8601; null without times.
    """

    per_user: Histogram = Histogram()
    per_item: Histogram = Histogram()
    first_time: str | None = None
    last_time: str | None = None


class ShownItem(Document):
    """An item with its title and score.

    Attributes:
        item_id: the raw id.
        title: the item's title; "" if it is not known.
        score: the probability by the model; null where the model was not asked.
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
        held_out: the held-out item, which the model should find; null without one.
        rank: place of the held-out item among the candidates, from 1; null if unknown.
        candidates: how many candidates there were.
        badly_served: whether the user is shown because the rank is bad.
        recommendations: the model's best items, the best first.
    """

    user_id: str
    interactions: int
    history: list[ShownItem] = []
    held_out: ShownItem | None = None
    rank: int | None = None
    candidates: int = 0
    badly_served: bool = False
    recommendations: list[ShownItem] = []


class HeldOutUsers(Document):
    """Users who were held out whole, whom the model knows by their baskets alone.

    Attributes:
        lists: how many such users had an item to find and one before it.
        metrics: HR@10 and NDCG@10 of the model in the whole catalogue.
        errors: the standard errors of `metrics`.
        baselines: the metrics of popularity and, unless it was left out, of EASE.
    """

    lists: int = 0
    metrics: Figures = {}
    errors: Figures = {}
    baselines: dict[str, Figures] = {}


class Node(Document):
    """A node of the pipeline, as a run executed it.

    Attributes:
        name: the node's id.
        seconds: how long the node took; if `cached`, in the run that computed the
            result.
        cached: whether an earlier result was used again.
        memory_mb: peak of the run's memory while the node ran, in MB of 10^6 bytes;
            null if it was not measured.
        inputs: numbers of the artifacts that the node read.
        outputs: numbers of the artifacts that the node wrote.
    """

    name: str
    seconds: float | None = None
    cached: bool = False
    memory_mb: float | None = None
    inputs: list[int] = []
    outputs: list[int] = []


class RunArtifact(Document):
    """An artifact that a node read or wrote.

    Attributes:
        number: the artifact's id in ML Metadata.
        type: the artifact's type, such as `Examples` or `Model`.
        uri: the artifact's folder.
    """

    number: int
    type: str
    uri: str


class Run(Document):
    """What the runner knows of the run, and adds when all nodes have ended.

    Attributes:
        id: the run's id in ML Metadata.
        started: when the run started, UTC, ISO 8601.
        command: the command that was typed; "" if there was none.
        nodes: the nodes, in the order of running.
        artifacts: the artifacts that the nodes read and wrote.
    """

    id: str = ""
    started: str = ""
    command: str = ""
    nodes: list[Node] = []
    artifacts: list[RunArtifact] = []


class Summary(Quality):
    """The result of a run.

    Attributes:
        dataset: the name of the data.
        num_users: users with an interaction.
        num_items: distinct items.
        num_interactions: distinct pairs of user and item.
        candidates: what was ranked, such as "of 100 candidates".
        ranked: which candidates every model and baseline ranked, in words.
        catalogue_digest: a digest of the sorted ids of all items of the data.
        baseline: the metrics of ranking by popularity.
        slices: the figures of groups of lists, by `feature=group`.
        baseline_settings: the chosen settings of each baseline; under `tried` all
            settings that were tried, with their NDCG@10 on the validation lists.
        baselines_left_out: why a baseline has no figures, by its name.
        blessed: whether every rule of the gate holds.
        not_blessed_because: a sentence for each rule that does not hold.
        rules: all rules of the gate.
        not_compared: a sentence for each model blessed before, or put into the serving
            folder by hand, that could not rank the lists or was damaged; the model is
            judged without it.
        pushed_to: where the model was pushed; null if it was not.
        not_pushed_because: why a blessed model was not pushed; null otherwise.
        seconds: how many seconds each node took; {} where the runner does not know.
        cached: the nodes whose earlier result was used again.
        train: the training in short.
        history: the training, epoch by epoch.
        config: every field of the configuration, by its dotted name.
        data: the counts of InteractionsExampleGen, which reads the data.
        lists: the counts of NegativeSampling, which makes the lists.
        distribution: how the interactions are spread.
        users: some users with the items that the model recommends.
        served: how the model in service did on what came after its training; null if
            that was not evaluated.
        held_out_users: how well users who were held out whole are served; null if there
            are none.
        run: what the runner knows of the run.
        versions: the versions of the software, by package.
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
    not_compared: list[str] = []
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
    held_out_users: HeldOutUsers | None = None
    run: Run = Run()
    versions: dict[str, str] = {}

    @property
    def of_pairs(self) -> bool:
        """Whether the model is the network of pairs, which has no `model.history`."""
        history = self.config.get("model.history")
        return history is not None and history.value is None
