"""Refuses malformed requests before any other part of the site handles them."""

from __future__ import annotations

from django.core.exceptions import BadRequest
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from accounts.middleware import GetResponse

MAX_CONTENT_LENGTH_DIGITS = 18


def reject_malformed_requests(get_response: GetResponse) -> GetResponse:
    def middleware(request: HttpRequest) -> HttpResponseBase:
        if sentence := describe_malformed(request):
            raise BadRequest(sentence)
        return get_response(request)

    return middleware


def describe_malformed(request: HttpRequest) -> str:
    """Return the problem of a malformed request, or an empty text.

    PostgreSQL stores no NUL, and no address here has one. The client names the charset, and Python
    knows some charsets that do not decode bytes to text.
    """
    query = request.META["QUERY_STRING"]
    if "\0" in request.path or "%00" in query or "\0" in query:
        return "The address holds a NUL"
    charset = request.content_params.get("charset", "utf-8") if request.content_params else "utf-8"
    if charset.lower() not in {"utf-8", "utf8"}:
        return "The body is not declared as UTF-8"
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not (length.isascii() and length.isdigit() and len(length) <= MAX_CONTENT_LENGTH_DIGITS):
        return "The length of the body is no number"
    return ""
