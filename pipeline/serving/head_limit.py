"""Reads requests of HTTP, and refuses one whose head is too large."""

import json

from uvicorn.protocols.http import httptools_impl

# As many as uvicorn's h11 has; httptools has no limit of its own.
MAX_HEAD_BYTES = 1 << 16
_NOT_HTTP = (
    "This is no valid request of HTTP. In an address, characters beyond ASCII must be "
    "percent-encoded."
)


class HeadLimitProtocol(httptools_impl.HttpToolsProtocol):
    """uvicorn's protocol for httptools, with a limit that it lacks.

    What counts is what came since the last head, part of a body or end of a message:
    request lines, headers, trailers, and what is around the chunks of a body. Bodies
    do not count: `--max-body-bytes` limits them. A head may be larger, by less than
    the limit, where it came together with the end of what was before it.
    """

    _unfinished = 0
    _refused = False

    def data_received(self, data: bytes) -> None:
        """Parses what came, in pieces that end where the limit is reached."""
        while data and not self._refused and not self.transport.is_closing():
            room = MAX_HEAD_BYTES - self._unfinished
            if room == 0:
                self._refuse()
                return
            piece, data = data[:room], data[room:]
            self._unfinished += len(piece)
            super().data_received(piece)  # Calls the methods below.

    def on_headers_complete(self) -> None:
        """Starts the request."""
        self._unfinished = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Adds to the request's body."""
        self._unfinished = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Ends the request's body."""
        self._unfinished = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answers what cannot be parsed in JSON, as all else is; uvicorn has text."""
        del msg
        self.transport.write(_answer("400 Bad Request", _NOT_HTTP))
        self.transport.close()

    def _refuse(self) -> None:
        self._refused = True
        reason = f"The head of a request may have {MAX_HEAD_BYTES} bytes at most."
        self.logger.warning("Refused: %s", reason)
        if self.cycle is None or self.cycle.response_complete:
            self.transport.write(_answer("431 Request Header Fields Too Large", reason))
            self.transport.close()
        elif self.cycle.more_body:  # Its trailers have no end.
            self.transport.close()
        else:  # Requests before it are answered yet; then the connection closes.
            self.cycle.keep_alive = False


def _answer(status: str, reason: str) -> bytes:
    body = json.dumps({"error": reason}).encode()
    head = (
        f"HTTP/1.1 {status}\r\n"
        "content-type: application/json\r\n"
        f"content-length: {len(body)}\r\n"
        "connection: close\r\n\r\n"
    )
    return head.encode() + body
