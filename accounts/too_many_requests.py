"""The response to requests beyond a limit: 429, a sentence, and the time to wait."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

DEFAULT_RETRY_SECONDS = 60


def respond_too_many_requests(
    request: HttpRequest, retry_after_seconds: int = DEFAULT_RETRY_SECONDS
) -> HttpResponse:
    """Return a page, or a plain text for a script. Needs no query for visitors. allauth calls this
    as the handler of 429."""
    if "HX-Request" in request.headers:
        sentence = _("Too many attempts. Wait a few minutes and try again.")
        response = HttpResponse(
            f"{sentence}\n", content_type="text/plain; charset=utf-8", status=429
        )
    else:
        response = HttpResponse(render_to_string("429.html", request=request), status=429)
    response.headers["Retry-After"] = str(retry_after_seconds)
    response.headers["Cache-Control"] = "no-store"
    response._has_been_logged = True  # type: ignore[attr-defined]  # the access log has a line
    return response
