"""Errors of views, in the words that all doors share. Each door gives them a shape of its own."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext_lazy as _

from chat.api.problems import Problem, build_not_found, from_rejection
from chat.replies import ReplyRejected
from streaming.access import StreamNotFound

View = Callable[..., HttpResponseBase]

KNOWN_ERRORS = (Problem, ReplyRejected, Http404, ObjectDoesNotExist, StreamNotFound)
"""The last two mean that something was deleted meanwhile."""


def to_problem(error: Exception) -> Problem:
    """The words for one of the known errors."""
    if isinstance(error, Problem):
        return error
    return from_rejection(error) if isinstance(error, ReplyRejected) else build_not_found()


def answer_errors(build_response: Callable[[Problem], HttpResponse]) -> Callable[[View], View]:
    """Decorate the views of a door."""

    def decorate(view: View) -> View:
        @wraps(view)
        def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            try:
                return view(request, *args, **kwargs)
            except KNOWN_ERRORS as error:
                return build_response(to_problem(error))

        return wrapper

    return decorate


def build_too_many() -> Problem:
    """For a person with too many open connections."""
    text = _("You have too many connections open. Close one, and try again.")
    return Problem(429, "too_many", text, headers={"Retry-After": "5"})
