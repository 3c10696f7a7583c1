"""Names of the features in every record, in the order the data flows.

One record is one user. `n` counts the user's distinct items, `p` those that train,
`m` the negatives of an evaluation list.
"""

# InteractionsExampleGen, split `interactions`.
INTERACTIONS_SPLIT = "interactions"
USER_ID = "user_id"  # bytes [1]
ITEM_IDS = "item_ids"  # bytes [n], by time, ties in input order
TIMESTAMPS = "timestamps"  # int64 [n], seconds since 1970, UTC
RATINGS = "ratings"  # float32 [n], only if the input has them

# Transform. Index 0 is the most frequent id; the size of the vocabulary is "unknown".
USER_INDEX = "user_index"  # int64 [1]
ITEM_INDICES = "item_indices"  # int64 [n]
USER_VOCABULARY = "user_id"
ITEM_VOCABULARY = "item_id"

# NegativeSampling, split `train`.
TRAIN_SPLIT = "train"
POSITIVES = "positives"  # int64 [p], by time
NEGATIVES = "negatives"  # int64 [epochs * p * num_negatives], epoch-major
REFIT_NEGATIVES = "refit_negatives"  # int64 [epochs * (p + v) * num_negatives]
VALIDATION_ITEMS = "validation_items"  # int64 [v], trained on by the refit only
EVAL_ITEMS = "eval_items"  # int64 [e], never trained on; `recommend` leaves them out

# NegativeSampling, splits `validation` and `eval`: one record is one ranked list.
VALIDATION_SPLIT = "validation"
EVAL_SPLIT = "eval"
CANDIDATE_IDS = "candidate_ids"  # bytes [1 + m], raw ids, the held-out item first
CANDIDATE_POPULARITY = "candidate_popularity"  # int64 [1 + m], training positives

# With `eval_negatives: all` the held-out item is the only candidate; these are added.
SEEN_IDS = "seen_ids"  # bytes [n - 1], what else the user has: not to be ranked
POPULARITY_RANK = "popularity_rank"  # int64 [1], unseen items that train as often

# NegativeSampling, split `held_out_users`, if there are any: what the user took before
# is in `SEEN_IDS`, by time, and the held-out item is the only candidate.
HELD_OUT_USERS = "held_out_users"

# EvalContext adds these to the split `eval`.
POPULARITY = "popularity"  # The baseline that NegativeSampling computes.
CANDIDATE_SCORES = "candidate_{}"  # float32 [1 + m], by the baseline of that name
USER_ACTIVITY = "user_activity"  # bytes [1], a quarter of the users
ITEM_POPULARITY = "item_popularity"  # bytes [1], of the held-out item
ITEM_WARMTH = "item_warmth"  # bytes [1], whether the held-out item trains at all
SLICES = {  # The groups of each, in the order in which they are shown.
    USER_ACTIVITY: ("1 least", "2", "3", "4 most"),
    ITEM_POPULARITY: ("head", "torso", "tail"),
    ITEM_WARMTH: ("warm", "cold"),
}

# These replace `CANDIDATE_SCORES` where the record has `SEEN_IDS`.
BASELINE_RANK = "{}_rank"  # int64 [1], unseen items that score as high; -1 for none
FIRST_ITEMS = "{}_first"  # int64 [K], the unseen items it scores highest, in order

# BlessedRanks, split `eval`: the feature `BASELINE_RANK` for each of these models that
# there is, among the very candidates that the new model ranks.
LATEST_BLESSED = "latest_blessed"
BEST_BLESSED = "best_blessed"
RIVALS = (LATEST_BLESSED, BEST_BLESSED)
# Up to so many models may be the best one blessed so far; BlessedRanks ranks each of
# them. Where they are versions of a serving folder, the artifact of the first model has
# the paths of the others in this property.
MOST_BEST = 8
MORE_BEST_PROPERTY = "more_best"
# On a model that comes from a version of a serving folder: the version's number.
VERSION_PROPERTY = "pushed_version"
# On the blessing of a model that was put into the serving folder by hand: 1. Its level
# was not measured; it counts as the highest one that was.
ASSUMED_LEVEL_PROPERTY = "level_is_assumed"
# On the lists and the blessing: which models could not be compared, a sentence a line.
NOT_COMPARED_PROPERTY = "not_compared"
