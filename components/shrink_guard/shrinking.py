"""Decides whether too many users or items are gone from the data; free of TFX."""

from collections.abc import Mapping
from typing import Any

from ncf_model.serving import versions
from ncf_model.serving.version_record import VersionRecord

COUNTS = ("num_users", "num_items")


def served(serving: str) -> VersionRecord:
    """Returns the record of the newest version of which the counts are known.

    A version that was put there by hand has no counts, and is skipped. If no version
    has counts, the returned record is empty.
    """
    records = (version.record for version in versions.look(serving).versions)
    known = (r for r in records if (r.blessing or {}).get(COUNTS[0]))
    return next(known, VersionRecord())


def check(now: Mapping[str, Any], before: Mapping[str, Any], *, most: float) -> None:
    """Raises ValueError if users or items fell by more than a share.

    Args:
        now: `num_users` and `num_items` of this run's data.
        before: `num_users` and `num_items` of the data on which the model in service
            was evaluated. A count that is absent or 0 is not known, as for a model of
            an earlier release.
        most: the fraction in [0, 1] that may be gone.
    """
    for name in COUNTS:
        old, new = int(before.get(name) or 0), int(now[name])
        # As counts are whole, only a rounding error is so near to the limit.
        if old and 1 - new / old > most + 1e-9:
            what = name.removeprefix("num_")
            raise ValueError(
                f"{1 - new / old:.1%} of the {what} are gone: the data have {new:,} "
                f"{what}, and those that the model in service was evaluated on had "
                f"{old:,}. At most {most:.0%} may be (`data.max_shrink`). Is the input "
                "cut off? If it is meant, run once with `--allow-shrink`. Nothing was "
                "trained."
            )
