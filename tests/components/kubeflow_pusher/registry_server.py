"""A local stand-in for a Model Registry that checks requests by the API's schemas.

The schemas are the part of the v1alpha3 API that is used here, with fields, types and
what is required; a request with any other field is refused.
"""

import http.server
import json
import re
import threading
import urllib.parse

import jsonschema

PREFIX = "/api/model_registry/v1alpha3"
TEXT = {"type": "string"}
_ID = {"type": "string", "pattern": "^[1-9][0-9]{0,8}$"}
_NAME = {"type": "string", "minLength": 1}
_STATE = {"enum": ["LIVE", "ARCHIVED"]}


def _value(kind, field, schema):
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["metadataType", field],
        "properties": {"metadataType": {"const": kind}, field: schema},
    }


_PROPERTIES = {
    "type": "object",
    "additionalProperties": {
        "oneOf": [
            _value("MetadataStringValue", "string_value", TEXT),
            _value("MetadataDoubleValue", "double_value", {"type": "number"}),
            _value("MetadataBoolValue", "bool_value", {"type": "boolean"}),
        ]
    },
}
_RESOURCE = {"description": TEXT, "externalId": TEXT, "customProperties": _PROPERTIES}


def _object(required, **fields):
    return {
        "type": "object",
        "additionalProperties": False,
        "required": required,
        "properties": {**_RESOURCE, **fields},
    }


MODEL = _object(["name"], name=_NAME, state=_STATE, owner=TEXT)
VERSION = _object(
    ["name", "registeredModelId"],
    name=_NAME,
    registeredModelId=_ID,
    state=_STATE,
    author=TEXT,
)
ARTIFACT = _object(
    ["artifactType"],
    artifactType={"const": "model-artifact"},
    state={"enum": ["UNKNOWN", "PENDING", "LIVE", "DELETED", "ABANDONED"]},
    **dict.fromkeys(
        (
            *("name", "uri", "modelFormatName", "modelFormatVersion", "storageKey"),
            *("storagePath", "serviceAccountName", "modelSourceKind"),
            *("modelSourceClass", "modelSourceGroup", "modelSourceId"),
        ),
        TEXT,
    ),
)
# The path that creates an entity, its kind, and its schema; (\d+) is a parent's id.
_CREATE = (
    (r"/registered_models", "registered_model", MODEL),
    (r"/registered_models/(\d+)/versions", "model_version", VERSION),
    (r"/model_versions/(\d+)/artifacts", "model_artifact", ARTIFACT),
)
_SEARCH = ("registered_model", "model_version", "model_artifact")


class Server(http.server.ThreadingHTTPServer):
    """Keeps the entities that requests create.

    Attributes:
        kept: id -> (kind, id of the parent or None, fields).
        token: the token that requests must have; None if they need none.
        failing: the kind whose next creation fails; None if none fails.
        requests: (method, path) of each request.
    """

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.kept, self.requests = {}, []
        self.token = self.failing = None
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def of(self, kind):
        """Returns id -> fields of all entities of a kind."""
        return {id_: fields for id_, (of, _, fields) in self.kept.items() if of == kind}


class _Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def _answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _path(self, method):
        address = urllib.parse.urlsplit(self.path)
        self.server.requests.append((method, address.path.removeprefix(PREFIX)))
        given = self.headers.get("Authorization")
        if self.server.token and given != f"Bearer {self.server.token}":
            self._answer(401, {"code": "401", "message": "who are you?"})
            return None, None
        if not address.path.startswith(PREFIX):
            self._answer(404, {"code": "404", "message": "no such path"})
            return None, None
        query = dict(urllib.parse.parse_qsl(address.query))
        return address.path.removeprefix(PREFIX), query

    def do_GET(self):
        path, query = self._path("GET")
        if path is None:
            return
        kind = path.removeprefix("/")
        if kind not in _SEARCH or not query.keys() <= {"name", "parentResourceId"}:
            self._answer(400, {"code": "400", "message": f"no search {self.path}"})
            return
        for id_, (of, parent, fields) in self.server.kept.items():
            wanted = query.get("parentResourceId", parent)
            if of == kind and fields.get("name") == query["name"] and wanted == parent:
                self._answer(200, {**fields, "id": id_})
                return
        self._answer(404, {"code": "404", "message": "not found"})

    def do_POST(self):
        path, _ = self._path("POST")
        if path is None:
            return
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        for pattern, kind, schema in _CREATE:
            if match := re.fullmatch(pattern, path):
                self._create(kind, match.groups(), schema, body)
                return
        self._answer(404, {"code": "404", "message": f"nothing is made at {path}"})

    def _create(self, kind, parents, schema, body):
        parent = parents[0] if parents else None
        if kind == self.server.failing:
            self.server.failing = None
            self._answer(503, {"code": "503", "message": "not now"})
            return
        if parent is not None and parent not in self.server.kept:
            self._answer(404, {"code": "404", "message": f"no parent {parent}"})
            return
        try:
            jsonschema.validate(body, schema)
        except jsonschema.ValidationError as error:
            self._answer(400, {"code": "400", "message": error.message})
            return
        known = [
            (of, up, fields["name"]) for of, up, fields in self.server.kept.values()
        ]
        if (kind, parent, body["name"]) in known:
            self._answer(409, {"code": "409", "message": "there is one already"})
            return
        id_ = str(len(self.server.kept) + 1)
        self.server.kept[id_] = (kind, parent, body)
        self._answer(201, {**body, "id": id_})
