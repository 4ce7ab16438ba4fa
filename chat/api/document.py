"""The OpenAPI document, with the errors that every operation can answer."""

from __future__ import annotations

from typing import Any

from ninja import NinjaAPI

from chat.api.event_paths import EVENT_PATHS, EVENT_SCHEMAS
from chat.api.problems import CONTENT_TYPE

DESCRIPTION = "Chats with language models whose replies survive anything. See docs/api.md."
ERRORS = {
    400: "The body is no JSON.",
    401: "There is no valid access token.",
    403: "The token does not have the right, or a page of another site asks.",
    404: "There is no such thing, or it is not yours.",
    409: "It does not fit what is there now, or the idempotency key was used for another request.",
    410: "The thing that the request made before was deleted since.",
    413: "The body is too long.",
    415: "The body is not sent as JSON.",
    422: "A field is missing or has a wrong value, or the model can't be used.",
    429: "Too much in a short time; see Retry-After.",
    503: "The server is busy; see Retry-After.",
}
PROBLEM = {
    "type": "object",
    "title": "Problem",
    "description": "Problem details, RFC 9457.",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "For programs."},
        "detail": {"type": "string", "description": "A sentence for people."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}
IDEMPOTENCY_KEY = {
    "in": "header",
    "name": "Idempotency-Key",
    "required": False,
    "description": "The same key again has no second effect.",
    "schema": {"type": "string", "maxLength": 200},
}
TOKEN = {"type": "http", "scheme": "bearer", "description": "An access token of the settings."}


class DocumentedAPI(NinjaAPI):
    _document: Any = None

    def get_openapi_schema(self, **options: Any) -> Any:
        """Built once in a process, because it takes a tenth of a second."""
        if self._document is None:
            self._document = self._build_document(**options)
        return self._document

    def _build_document(self, **options: Any) -> Any:
        document = super().get_openapi_schema(**options)
        document["info"]["description"] = DESCRIPTION
        components = document.setdefault("components", {})
        components.setdefault("schemas", {}).update(EVENT_SCHEMAS, Problem=PROBLEM)
        components["securitySchemes"] = {"token": TOKEN}
        for methods in document["paths"].values():
            for method, operation in methods.items():
                _document_operation(method, operation)
        document["paths"].update(EVENT_PATHS)
        return document


def _document_operation(method: str, operation: dict[str, Any]) -> None:
    operation["security"] = [{"token": []}]
    content = {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for status, description in ERRORS.items():
        operation["responses"][status] = {"description": description, "content": content}
    if method == "post":
        operation.setdefault("parameters", []).append(IDEMPOTENCY_KEY)
