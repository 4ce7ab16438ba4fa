"""Errors in the shape of OpenAI's API."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.csrf import csrf_exempt

from accounts.models import User
from accounts.tokens.models import Scope
from chat.api.auth import authenticate_program
from chat.api.problems import Problem, build_problem_of_status
from chat.doors.errors import KNOWN_ERRORS, to_problem
from chat.replies import ReplyRejected

CONTENT_TYPE = "application/json"
STATUS_BY_STATUS = {410: 404, 422: 400}
"""OpenAI's API answers with other statuses than ours in these cases."""
TYPE_BY_STATUS = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}
CODES = {
    "signed_out": "invalid_api_key",
    "too_much": "rate_limit_exceeded",
    "too_many": "rate_limit_exceeded",
    "unknown_model": "model_not_found",
    "retired_model": "model_not_found",
}
PARAMETER_BY_REJECTION = {
    "unknown_model": "model",
    "retired_model": "model",
    "no_key": "model",
    "max_tokens": "max_tokens",
    "empty": "input",
    "no_question": "input",
}
"""Names of settings, and the input. Each API has words of its own for them."""

View = Callable[..., HttpResponseBase]


def build_invalid(param: str, detail: str | Promise, code: str = "invalid_value") -> Problem:
    """A request whose parameter has a value that it can't have."""
    return Problem(400, code, detail, errors=[{"field": param, "message": ""}])


def build_missing(param: str) -> Problem:
    sentence = gettext("Missing required parameter: “%(name)s”.") % {"name": param}
    return build_invalid(param, sentence, "missing_required_parameter")


def gateway_view(*methods: str) -> Callable[[View], View]:
    """A view of programs with a token. It is called with the request and the user, and its errors
    become answers."""

    def decorate(view: View) -> View:
        @csrf_exempt
        @wraps(view)
        def wrapper(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
            try:
                user = authenticate_program(request, Scope.GATEWAY)
                _require_method(request, methods)
                return view(request, user, **kwargs)
            except KNOWN_ERRORS as error:
                return answer_problem(to_problem(error))

        return wrapper

    return decorate


def choose_view(**views: View) -> View:
    """One view of an address, from one for each method."""

    @gateway_view(*(method.upper() for method in views))
    def view(request: HttpRequest, user: User, **kwargs: Any) -> HttpResponseBase:
        return views[str(request.method).lower()](request, user, **kwargs)

    return view


def _require_method(request: HttpRequest, methods: tuple[str, ...]) -> None:
    if request.method not in methods:
        text = _("This address does not take this method. See docs/gateway.md.")
        raise Problem(405, "bad_method", text, headers={"Allow": ", ".join(methods)})


def name_parameter(error: ReplyRejected, names: Mapping[str, str]) -> Problem:
    """The problem of a rejected reply, with the name that the API has for the parameter."""
    problem = to_problem(error)
    if name := PARAMETER_BY_REJECTION.get(error.code):
        problem.errors = [{"field": names[name], "message": ""}]
    if CODES.get(error.code) == "model_not_found":
        problem.status = 404
    return problem


def answer_problem(problem: Problem) -> HttpResponse:
    status = STATUS_BY_STATUS.get(problem.status, problem.status)
    return JsonResponse(build_error(problem), status=status, headers=problem.headers)


def build_error(problem: Problem) -> dict[str, Any]:
    status = STATUS_BY_STATUS.get(problem.status, problem.status)
    usual = "server_error" if status >= 500 else "invalid_request_error"
    return {
        "error": {
            "message": str(problem.detail),
            "type": TYPE_BY_STATUS.get(status, usual),
            "param": problem.errors[0]["field"] if problem.errors else None,
            "code": CODES.get(problem.code, problem.code),
        }
    }


def encode_error(status: int) -> tuple[bytes, str]:
    """An error that was made outside of the views, as its body and content type."""
    return json.dumps(build_error(build_problem_of_status(status))).encode(), CONTENT_TYPE
