"""Errors of this door: a sentence for people, and a code for programs."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpResponse, JsonResponse

from chat.api.problems import Problem, build_problem_of_status
from chat.doors import errors

CONTENT_TYPE = "application/json"


def build_error(problem: Problem) -> HttpResponse:
    status = get_status(problem)
    return JsonResponse(_to_body(problem), status=status, headers=problem.headers)


answer_errors = errors.answer_errors(build_error)
"""Decorates the views of this door."""


def encode_error(status: int) -> tuple[bytes, str]:
    """The body and content type of an error that was made outside the views."""
    body = _to_body(build_problem_of_status(status))
    return json.dumps(body, ensure_ascii=False).encode(), CONTENT_TYPE


def get_status(problem: Problem) -> int:
    """Clients of the AI SDK know no 422."""
    return 400 if problem.status == 422 else problem.status


def _to_body(problem: Problem) -> dict[str, Any]:
    return {"error": str(problem.detail), "code": problem.code}
