"""Errors of this door: a sentence for people, and a code for programs."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.core.exceptions import ObjectDoesNotExist
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _

from chat.api.problems import Problem, build_not_found, build_problem_of_status, from_rejection
from chat.replies import ReplyRejected
from streaming.access import StreamNotFound

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def answer_errors(view: View[P]) -> View[P]:
    """Answer the errors of a view in the shape of this door."""

    @wraps(view)
    def answering_view(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        try:
            return view(request, *args, **kwargs)
        except (Problem, *TRANSLATED) as error:
            return build_response(to_problem(error))

    return answering_view


TRANSLATED = (ReplyRejected, Http404, ObjectDoesNotExist, StreamNotFound)
"""The last two mean that something was deleted meanwhile."""


def to_problem(error: Exception) -> Problem:
    if isinstance(error, Problem):
        return error
    return from_rejection(error) if isinstance(error, ReplyRejected) else build_not_found()


def build_response(problem: Problem) -> HttpResponse:
    status = get_status(problem)
    return JsonResponse(_to_body(problem), status=status, headers=problem.headers)


def build_too_many_connections() -> HttpResponse:
    text = _("You have too many open connections. Close a tab.")
    return build_response(Problem(429, "too_many", text, headers={"Retry-After": "5"}))


def encode_error(status: int) -> tuple[bytes, str]:
    """The body and content type of an error that was made outside the views."""
    body = _to_body(build_problem_of_status(status))
    return json.dumps(body, ensure_ascii=False).encode(), "application/json"


def get_status(problem: Problem) -> int:
    """Clients of the AI SDK know no 422."""
    return 400 if problem.status == 422 else problem.status


def _to_body(problem: Problem) -> dict[str, Any]:
    return {"error": str(problem.detail), "code": problem.code}
