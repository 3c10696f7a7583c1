"""What the evaluation found, typed: figures, rules of the gate, and the verdict."""

from ncf_model.documents import Document, Figure, Figures


class Paired(Document):
    """The model beside one that was blessed before, or a baseline, on the same lists.

    Attributes:
        metrics: of that one.
        difference: of HR@10, above 0 where the model is better.
        standard_error: of the difference.
        p_value: how likely it is that one as good would look so bad, or worse; by an
            exact McNemar test.
    """

    metrics: Figures = {}
    difference: Figure = None
    standard_error: Figure = None
    p_value: Figure = None


class Quality(Document):
    """Figures of the model and of what it is compared with, on the same lists.

    Attributes:
        metrics: of the model, such as {"hit_rate@10": 0.65, "ndcg@10": 0.37}.
        standard_errors: of `metrics`, those that are means over the lists.
        baselines: the metrics of every baseline by its name.
        baseline_standard_errors: their standard errors by the same names.
        blessed_model: metrics of the latest blessed model; {} if there is none.
        comparisons: with it, and with the best model blessed so far where that is
            another, by name.
        against_baselines: with every baseline, by its name.
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
    """

    lists: int = 0


class Rule(Document):
    """A rule of the gate, and whether it holds.

    Attributes:
        metric: what it is about.
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
        baseline: the metrics of ranking by popularity.
        lift: what the model's hit rate has above popularity's.
        short_lists: lists with fewer candidates than asked for.
        non_finite_lists: lists in which a score was NaN or infinite.
        blessed: whether every rule holds.
        rules: all rules of the gate.
        failures: those that do not hold, the cause before its effects.
        slices: the figures of groups of lists, by `feature=group`.
    """

    baseline: Figures = {}
    lift: Figures = {}
    short_lists: int = 0
    non_finite_lists: int = 0
    blessed: bool = False
    rules: list[Rule] = []
    failures: list[Rule] = []
    slices: dict[str, Comparison] = {}
