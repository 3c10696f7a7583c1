"""The error that tells a client why a request cannot be answered."""


class RequestError(Exception):
    """A request is wrong, or cannot be answered now.

    Attributes:
        status: HTTP status code, 400 to 503.
        reason: what a request must be, and what this one is.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
