"""Refuses requests whose mail can't be sent."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.deprecation import MiddlewareMixin

from accounts.mails.queue import MailQueueFull


def refuse_mail(request: HttpRequest) -> HttpResponse:
    response = render(request, "errors/mail_refused.html", status=503)
    response.headers["Retry-After"] = "60"
    return response


class MailRefusalMiddleware(MiddlewareMixin):
    """Answers a request whose mail was refused. Changes of the account that only report by mail
    are not refused: accounts/notification_mails.py logs a notice that can't be sent."""

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        return refuse_mail(request) if isinstance(error, MailQueueFull) else None
