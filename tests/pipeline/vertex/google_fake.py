"""A server that answers like Google Cloud: tokens, Cloud Storage, Vertex AI (REST)."""

import http.server
import json
import re
import threading
import urllib.parse

import endpoint_fake

from tests import json_handler

PARENT = "/v1/projects/ncf-project/locations/us-central1"


class Server(http.server.ThreadingHTTPServer):
    """Records the requests that clients send.

    Attributes:
        posted: (path, body) of each request to make or change something.
        buckets: name -> HTTP status of a listing.
        accounts: service accounts that the caller may act as -> their permissions.
        states: the run's states, one per request.
        endpoints: models and endpoints.
        schedules: number -> the schedule.
        refuse: (HTTP status, message) of Vertex to whatever is posted.
    """

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.posted, self.authorizations = [], set()
        self.buckets = {"bucket": 200}
        self.accounts = {}
        self.states, self.detail = ["PIPELINE_STATE_SUCCEEDED"], {}
        self.endpoints = endpoint_fake.Endpoints()
        self.schedules = {}
        self.refuse, self.token_status = None, 200

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def start(self):
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def write_login(self, file):
        """Writes the credentials of a person's login, good for this server alone."""
        values = {
            "type": "external_account_authorized_user",
            "audience": "a",
            "refresh_token": "r",
            "client_id": "c",
            "client_secret": "s",
            "token_url": f"{self.url}/token",
        }
        file.write_text(json.dumps(values))


class _Handler(json_handler.JsonHandler):
    def do_GET(self):
        server = self.server
        if bucket := re.match(r"/storage/v1/b/([^/?]+)/o\?", self.path):
            status = server.buckets.get(bucket[1], 404)
            self.answer(status, {"items": []} if status == 200 else _error(status))
        elif "/iam/testPermissions?" in self.path:
            account = self.headers["authorization"].removeprefix("Bearer ")
            asked = urllib.parse.parse_qs(self.path.partition("?")[2])["permissions"]
            granted = [p for p in asked if p in server.accounts[account]]
            self.answer(200, {"permissions": granted})
        elif self.path.startswith("/storage/"):
            self.answer(403, _error(403))  # Nobody may see the bucket itself.
        elif "/pipelineJobs/" in self.path:
            states = server.states
            state = states.pop(0) if len(states) > 1 else states[0]
            name = self.path.split("?")[0].removeprefix("/v1/")
            self.answer(200, {"name": name, "state": state, **server.detail})
        elif self.path.startswith(f"{PARENT}/schedules?"):
            asked = urllib.parse.parse_qs(self.path.partition("?")[2])
            name = asked.get("filter", [""])[0].removeprefix("display_name=").strip('"')
            made = list(server.schedules.values())
            found = [one for one in made if name in ("", one["displayName"])]
            self.answer(200, {"schedules": found})
        elif found := re.match(rf"{PARENT}/schedules/(\w+)", self.path):
            self.answer(200, server.schedules[found[1]])
        elif found := server.endpoints.answer("GET", self.path, {}):
            self.answer(200, found)
        else:
            self.answer(404, _error(404))

    def do_DELETE(self):
        del self.server.schedules[self.path.split("?")[0].split("/")[-1]]
        empty = {"@type": "type.googleapis.com/google.protobuf.Empty"}
        name = f"{PARENT[4:]}/operations/1"
        self.answer(200, {"name": name, "done": True, "response": empty})

    def do_PATCH(self):
        text = self.rfile.read(int(self.headers["content-length"]))
        body = json.loads(text)
        self.answer(200, self.server.endpoints.answer("PATCH", self.path, body))

    def do_POST(self):
        text = self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/token":
            made = {"access_token": "t0ken", "expires_in": 3600, "token_type": "Bearer"}
            status = self.server.token_status
            self.answer(status, made if status == 200 else {"error": "invalid_grant"})
            return
        path, _, query = self.path.partition("?")
        self.server.posted.append((path, json.loads(text or "{}")))
        self.server.authorizations.add(self.headers["authorization"])
        if self.server.refuse:
            status, message = self.server.refuse
            self.answer(status, _error(status, message))
            return
        body = self.server.posted[-1][1]
        if found := self.server.endpoints.answer("POST", self.path, body):
            self.answer(200, found)
            return
        if path == f"{PARENT}/schedules":
            number = f"s{len(self.server.posted)}"
            made = {"name": f"{path[4:]}/{number}", "state": "ACTIVE", **body}
            self.server.schedules[number] = made
            self.answer(200, made)
            return
        if changed := re.fullmatch(rf"{PARENT}/schedules/(\w+):(pause|resume)", path):
            states = {"pause": "PAUSED", "resume": "ACTIVE"}
            self.server.schedules[changed[1]]["state"] = states[changed[2]]
            self.answer(200, {})
            return
        job_id = re.search(r"pipelineJobId=([\w-]+)", query)
        name = f"{path.removeprefix('/v1/')}/{job_id[1] if job_id else 's1'}"
        self.answer(200, {} if path.endswith(":cancel") else {"name": name})


def _error(status, message="no"):
    return {"error": {"code": status, "message": message}}
