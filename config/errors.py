"""What is answered when something breaks: 503 while the database is away, else Django's own."""

from __future__ import annotations

import sys

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.loader import render_to_string
from django.views import defaults

from streaming.outage import outage

RETRY_SECONDS = 5
"""When a client is told to come back."""
SENTENCE = "Holdfast can't reach its database just now. Try again in a moment.\n"


def server_error(request: HttpRequest) -> HttpResponseBase:
    error = sys.exc_info()[1]  # Django calls this while it handles the error
    if error is not None and outage.explains(error):
        return unavailable(request)
    return defaults.server_error(request)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Django takes a session that could not be saved for one that was deleted meanwhile."""
    if outage.explains(exception):
        return unavailable(request)
    return defaults.bad_request(request, exception)


def unavailable(request: HttpRequest) -> HttpResponse:
    """A page that asks nothing of the database; a sentence where a script asked."""
    if "HX-Request" in request.headers:
        response = HttpResponse(SENTENCE, content_type="text/plain; charset=utf-8", status=503)
    else:
        page = render_to_string(
            "503.html", {"request": request, "posted": request.method == "POST"}
        )
        response = HttpResponse(page, status=503)
    response.headers["Retry-After"] = str(RETRY_SECONDS)
    response.headers["Cache-Control"] = "no-store"
    response._has_been_logged = True  # type: ignore[attr-defined]  # the outage is, once
    return response
