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


def answer_errors(build_response: Callable[[Problem], HttpResponse]) -> Callable[[View], View]:
    """Decorate the views of a door."""

    def decorate(view: View) -> View:
        @wraps(view)
        def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            try:
                return view(request, *args, **kwargs)
            except Problem as problem:
                return build_response(problem)
            except ReplyRejected as rejection:
                return build_response(from_rejection(rejection))
            except (Http404, ObjectDoesNotExist, StreamNotFound):
                # The last two mean that something was deleted meanwhile.
                return build_response(build_not_found())

        return wrapper

    return decorate


def build_too_many() -> Problem:
    """For a person with too many open connections."""
    text = _("You have too many connections open. Close one, and try again.")
    return Problem(429, "too_many", text, headers={"Retry-After": "5"})
