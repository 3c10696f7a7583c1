"""The part that the stand-ins for HTTP services share: JSON answers and no log."""

import http.server
import json


class JsonHandler(http.server.BaseHTTPRequestHandler):
    """Handles HTTP requests; a subclass decides what each is answered with."""

    def answer(self, status, body):
        """Answers with a status and a body that can be written as JSON."""
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_):
        """Logs nothing."""
