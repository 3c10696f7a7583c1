"""The state of the serving folder, as it is before a push and as the push leaves it."""

from ncf_model.serving import folders, versions

TAKEN_BACK = (
    "It was taken back with a rollback of the serving folder. To serve it again, roll "
    "back to its version."
)


def state(serving: str, model: str, *, above: int = 0) -> str:
    """Returns the version that the model has or would get, as a part of a cache key.

    A push leaves the folder in the returned state, so a second identical run finds the
    same state, and Pusher's result in the cache. If the newest version is another one
    by then, or is damaged or gone, the state is a new number, and Pusher runs.

    Args:
        serving: folder of the versions.
        model: folder of the SavedModel.
        above: a new number is higher than this.
    """
    digest = folders.digest(model)
    if held := versions.holds(serving, digest):
        return str(held.number)
    if digest in versions.withdrawn(serving):
        return "taken back"
    return str(max(versions.next_number(serving), above + 1))
