"""Requests that no part of the site could make sense of are refused before any part tries."""

from __future__ import annotations

from collections.abc import Callable

from django.core.exceptions import BadRequest
from django.http import HttpRequest
from django.http.response import HttpResponseBase

GetResponse = Callable[[HttpRequest], HttpResponseBase]
MAX_CONTENT_LENGTH_DIGITS = 18
"""Of the number that says how long a body is."""


def reject_malformed_requests(get_response: GetResponse) -> GetResponse:
    """Raise BadRequest for what `describe_malformed` finds in a request."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if sentence := describe_malformed(request):
            raise BadRequest(sentence)
        return get_response(request)

    return middleware


def describe_malformed(request: HttpRequest) -> str:
    """Return what is wrong with a request, or an empty text.

    PostgreSQL holds no NUL, and no address here has one. A charset is a name that the client
    gives, and Python knows some by which bytes become anything but text.
    """
    query = request.META["QUERY_STRING"]
    if "\0" in request.path or "%00" in query or "\0" in query:
        return "The address holds a NUL"
    charset = request.content_params.get("charset", "utf-8") if request.content_params else "utf-8"
    if charset.lower() not in {"utf-8", "utf8"}:
        return "The body is not said to be UTF-8"
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not (length.isascii() and length.isdigit() and len(length) <= MAX_CONTENT_LENGTH_DIGITS):
        return "The length of the body is no number"
    return ""
