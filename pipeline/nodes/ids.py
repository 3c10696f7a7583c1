"""The names of the nodes: in ML Metadata, in compiled pipelines, in configurations.

TFX names a node by its component's class unless told otherwise. The one place that
says which name is meant is this module; a test compares it with the pipeline.
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
NOTIFY = "Notify"  # of clusters alone: it runs when all else has ended
