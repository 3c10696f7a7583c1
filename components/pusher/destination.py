"""What a push would come to: decided before Pusher runs, and once more when it does."""

from ncf_model.serving import folders, versions

TAKEN_BACK = (
    "It was taken back with a rollback of the serving folder. To serve it again, roll "
    "back to its version."
)


def state(serving: str, model: str, *, above: int = 0) -> str:
    """Returns the version the model has or would get; what it returns is a cache key.

    A push leaves the folder in the state that was announced, so the same run again
    finds the same state, and Pusher's result in the cache. Once the newest version is
    another one, or is damaged or gone, the state is a new number and Pusher runs.

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
