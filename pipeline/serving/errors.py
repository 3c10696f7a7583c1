"""What a client is told when a request cannot be answered."""


class RequestError(Exception):
    """The request is at fault, or comes at the wrong time.

    Attributes:
        status: HTTP status code, 400 to 503.
        reason: what must hold, and what came instead.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
