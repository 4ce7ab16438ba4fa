"""Whether this process answers. It asks nothing of the database or of Redis, so that their
trouble does not make a supervisor restart a process that carries on without them."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse


def healthz(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok\n", content_type="text/plain")
