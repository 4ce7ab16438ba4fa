"""The pages of refusals and errors, which must work for any request: 503 during an outage of the
database, otherwise Django's own.

Django's own pages look for a token in the posted form. If the form can't be read, which may be the
reason for the error page, they fail in turn, with a 500 or without a response.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.translation import gettext_lazy
from django.views import defaults

from streaming.outage import outage_monitor

RETRY_AFTER_SECONDS = 5
"""The time after which a client should try again."""
UNAVAILABLE_MESSAGE = gettext_lazy("Holdfast can’t reach its database. Try again in a moment.")

View = Callable[..., HttpResponse]


def _tolerate_unreadable_body(view: View) -> View:
    @wraps(view)
    def wrapped_view(request: HttpRequest, *given: Any, **named: Any) -> HttpResponse:
        try:
            _ = request.POST
        except Exception:
            # Django does this only for forms with files. Without it, the view would parse again.
            request._mark_post_parse_error()  # type: ignore[attr-defined]
        return view(request, *given, **named)

    return wrapped_view


permission_denied = _tolerate_unreadable_body(defaults.permission_denied)
page_not_found = _tolerate_unreadable_body(defaults.page_not_found)


def raise_not_found(request: HttpRequest, **parts: str) -> HttpResponse:
    raise Http404


@_tolerate_unreadable_body
def server_error(request: HttpRequest) -> HttpResponse:
    error = sys.exc_info()[1]  # Django calls this while it handles the error
    if error is not None and outage_monitor.is_outage(error):
        return service_unavailable(request)
    return defaults.server_error(request)


@_tolerate_unreadable_body
def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django takes a session that could not be saved for one that was deleted meanwhile."""
    if outage_monitor.is_outage(exception):
        return service_unavailable(request)
    return defaults.bad_request(request, exception)


def service_unavailable(request: HttpRequest) -> HttpResponse:
    """Return a page that needs no query, or a plain text for a script."""
    if "HX-Request" in request.headers:
        response = HttpResponse(
            f"{UNAVAILABLE_MESSAGE}\n", content_type="text/plain; charset=utf-8", status=503
        )
    else:
        page = render_to_string(
            "503.html", {"request": request, "posted": request.method == "POST"}
        )
        response = HttpResponse(page, status=503)
    response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    response.headers["Cache-Control"] = "no-store"
    response._has_been_logged = True  # type: ignore[attr-defined]  # the outage is logged once
    return response
