"""A result with every part that a report can have, small enough to check by hand."""

from components.report import document, summary
from ncf_model.evaluation.result import EvaluationResult
from ncf_model.training.training_history import History

NAN = float("nan")
HISTORY = {
    "epochs": [
        {
            "epoch": epoch,
            "loss": loss,
            "hit_rate@10": 0.25,
            "ndcg@10": 0.125,
            "seconds": 1.5,
            "examples_per_second": 1000.0,
        }
        for epoch, loss in ((1, 0.5), (2, 0.25))
    ],
    "best_epoch": 2,
    "refit": {
        "epochs": 2,
        "loss": 0.25,
        "seconds": 3.0,
        "examples_per_second": 1000.0,
    },
    "examples_per_second": 1000.0,
    "final_loss": 0.25,
}
EVALUATION = {
    "metrics": {"hit_rate@5": 0.25, "hit_rate@10": 0.5, "ndcg@10": 0.375},
    "standard_errors": {"hit_rate@10": 0.0625},
    "baseline_standard_errors": {
        "popularity": {"hit_rate@10": 0.03125},
        "ease": {"hit_rate@10": NAN},
    },
    "baseline": {"hit_rate@10": 0.25, "ndcg@10": 0.125},
    "baselines": {
        "popularity": {"hit_rate@5": 0.125, "hit_rate@10": 0.25, "ndcg@10": 0.125},
        "item_knn": {"hit_rate@5": 0.5, "hit_rate@10": 0.5625, "ndcg@10": 0.25},
        "ease": {"hit_rate@10": NAN},
    },
    "blessed_model": {"hit_rate@10": 0.4375},
    "against_baselines": {
        "popularity": {"difference": 0.25, "standard_error": 0.03125, "p_value": 1.0}
    },
    "slices": {
        "item_popularity=tail": {
            "lists": 2,
            "metrics": {"hit_rate@10": 0.75},
            "standard_errors": {"hit_rate@10": 0.25},
            "baselines": {"popularity": {"hit_rate@10": 0.0}},
            "baseline_standard_errors": {},
        }
    },
    "failures": [],
}
CONFIG = {
    "train.epochs": document.Setting(value=2, default=15),
    "model.layers": document.Setting(value=[4, 2], default=[4, 2]),
    "evaluation.gate.min_hit_rate": document.Setting(value=0.25, default=0.0),
}
USER = document.ShownUser(
    user_id="u<1>",
    interactions=3,
    history=[document.ShownItem(item_id="a", title="A & B")],
    held_out=document.ShownItem(item_id="b"),
    rank=4,
    candidates=5,
    badly_served=True,
    recommendations=[document.ShownItem(item_id="c", score=0.5)],
)
RUN = document.Run(
    id="run 1",
    started="2024-06-01T00:00:00Z",
    command="ncf run --dataset tiny",
    nodes=[
        document.Node(name="Trainer", seconds=2.5, memory_mb=1500.0, outputs=[1]),
        document.Node(name="Evaluator", seconds=1.0, cached=True, inputs=[1]),
    ],
    artifacts=[document.RunArtifact(number=1, type="Model", uri="/models/1")],
)


def findings(**changes):
    """Returns the findings of the pipeline's nodes, with `changes` to some of them."""
    given = {
        "interactions": {
            "num_users": 3,
            "num_items": 4,
            "num_interactions": 9,
            "rows_read": 12,
            "rows_skipped": 2,
            "rows_skipped_by_kind": '{"no_time": 2}',
            "duplicates_dropped": 1,
        },
        "lists": {
            "short_lists": 1,
            "eval_lists": 3000,
            "tfx_version": "1.16.0",
            "sampling": '{"eval_negatives": 99}',
        },
        "context": {
            "baseline_settings": '{"item_knn": {"neighbours": 20, "tried": [{}, {}]}}',
            "baselines_left_out": '{"ease": "was left out: it would take about 9 MB"}',
        },
        "history": HISTORY,
        "evaluation": EVALUATION,
        "blessing": {"blessed": 1},
        "pushed": {"pushed": 1, "pushed_destination": "/serving/7"},
        "users": [USER],
    } | changes
    given["history"] = History.model_validate(given["history"])
    given["evaluation"] = EvaluationResult.model_validate(given["evaluation"])
    return summary.Findings(**given)


def result(**changes):
    """Returns the summary of `findings`, completed with a runner's facts."""
    made = summary.summarise("tiny <b>", findings(**changes), CONFIG)
    return made.model_copy(update={"run": RUN})
