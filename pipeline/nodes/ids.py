"""The names of the nodes: in ML Metadata, in compiled pipelines, in configurations.

TFX names a node by its component's class unless another id is given. This module is the
one place with these names; a test compares it with the pipeline.
"""

EXAMPLE_GEN = "InteractionsExampleGen"
STATISTICS = "StatisticsGen"
SCHEMA = "ImportSchemaGen"
VALIDATOR = "StrictExampleValidator"
TRANSFORM = "Transform"
SAMPLING = "NegativeSampling"
CONTEXT = "EvalContext"
SERVED_MODEL = "NewestServedModel"
SERVED_EVALUATION = "ServedEvaluation"
WARM_START = "WarmStartModel"
SHRINK_GUARD = "ShrinkGuard"
TUNER = "Tuner"
TRAINER = "Trainer"
EXPORT_CHECK = "ExportCheck"
INFRA_VALIDATOR = "InfraValidator"
BASELINE = "LatestBlessedModel"
RANKS = "BlessedRanks"
EVALUATOR = "Evaluator"
PUSHER = "Pusher"
REPORT = "Report"
BULK = "BulkRecommendations"
NOTIFY = "Notify"  # On clusters only; it runs when all other nodes have ended.
