"""The site, and views whose errors contain what a person typed."""

from __future__ import annotations

from smtplib import SMTPRecipientsRefused

from django.http import HttpRequest, HttpResponse
from django.urls import path

from accounts.models import User
from config.urls import handler400, handler403, handler404, handler500
from config.urls import urlpatterns as site_urls

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]


def fail_with_text(request: HttpRequest) -> HttpResponse:
    raise ValueError(f"can't read {request.GET['text']}")


def fail_with_row(request: HttpRequest) -> HttpResponse:
    """PostgreSQL names the value of the row in its error."""
    for _ in range(2):
        User.objects.create(email=request.GET["text"])
    return HttpResponse()


def fail_with_mail(request: HttpRequest) -> HttpResponse:
    raise SMTPRecipientsRefused({request.GET["text"]: (550, b"nobody")})


def fail_with_group(request: HttpRequest) -> HttpResponse:
    try:
        raise KeyError(request.GET["text"])
    except KeyError as error:
        raise ExceptionGroup(request.GET["text"], [error]) from error


urlpatterns = [
    path("broken/text/", fail_with_text),
    path("broken/row/", fail_with_row),
    path("broken/mail/", fail_with_mail),
    path("broken/group/", fail_with_group),
    *site_urls,
]
