"""What the evaluation found, typed: figures, rules of the gate, and the verdict."""

from ncf_model.documents import Document, Figure, Figures


class Paired(Document):
    """The model compared with a rival (an older model or a baseline), list by list.

    Attributes:
        metrics: the metrics of the rival.
        difference: the model's HR@10 less the rival's.
        standard_error: the standard error of `difference`.
        p_value: the chance that a model as good as the rival looks as bad as this one,
            or worse, by an exact McNemar test.
    """

    metrics: Figures = {}
    difference: Figure = None
    standard_error: Figure = None
    p_value: Figure = None


class Quality(Document):
    """Figures of the model and of what it is compared with, on the same lists.

    Attributes:
        metrics: of the model, such as {"hit_rate@10": 0.65, "ndcg@10": 0.37}.
        standard_errors: of those `metrics` that are means over the lists.
        baselines: the metrics of every baseline by its name.
        baseline_standard_errors: the standard errors of `baselines`.
        blessed_model: metrics of the latest blessed model; {} if there is none.
        comparisons: comparisons with the latest blessed model, and with the best model
            blessed so far where that is another one, by name.
        against_baselines: comparisons with every baseline, by its name.
    """

    metrics: Figures = {}
    standard_errors: Figures = {}
    baselines: dict[str, Figures] = {}
    baseline_standard_errors: dict[str, Figures] = {}
    blessed_model: Figures = {}
    comparisons: dict[str, Paired] = {}
    against_baselines: dict[str, Paired] = {}


class Comparison(Quality):
    """The figures of some lists.

    Attributes:
        lists: how many lists there were.
        short_lists: lists with fewer candidates than asked for.
        non_finite_lists: lists in which a score was NaN or infinite.
        baseline: the metrics of ranking by popularity.
        lift: the model's hit rates less popularity's, such as {"hit_rate@10": 0.24}.
    """

    lists: int = 0
    short_lists: int = 0
    non_finite_lists: int = 0
    baseline: Figures = {}
    lift: Figures = {}


class Rule(Document):
    """A rule of the gate, and whether it holds.

    Attributes:
        metric: the figure that the rule limits.
        rule: the limit in words, such as "at least 0.01 above popularity's".
        of: the group of lists, as `feature=group`; "" for all lists.
        value: what was measured; null for what is not a number.
        passed: whether the rule holds.
        message: the finding in a sentence; "" where there is nothing to explain.
    """

    metric: str
    rule: str
    of: str = ""
    value: Figure
    passed: bool = False
    message: str = ""


class EvaluationResult(Comparison):
    """The evaluation of one model.

    Attributes:
        blessed: whether every rule holds.
        rules: all rules of the gate.
        failures: the rules that do not hold; a cause comes before its effects.
        slices: the figures of groups of lists, by `feature=group`.
    """

    blessed: bool = False
    rules: list[Rule] = []
    failures: list[Rule] = []
    slices: dict[str, Comparison] = {}
