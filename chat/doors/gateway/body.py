"""The JSON of a request."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _

from chat.api.auth import require_json
from chat.api.problems import Problem


def read_body(request: HttpRequest) -> dict[str, Any]:
    """An empty body is an empty object. Raises Problem."""
    require_json(request)
    try:
        body = json.loads(request.body or b"{}", parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise Problem(400, "bad_request", _("The body is not JSON.")) from None
    if not isinstance(body, dict):
        raise Problem(400, "bad_request", _("The body must be an object."))
    return body


def _refuse_constant(name: str) -> None:
    raise ValueError(name)
