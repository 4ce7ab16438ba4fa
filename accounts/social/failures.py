"""Errors of sign-ins with other servers, all of which end on one page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from allauth.socialaccount.providers.base import ProviderException


class SignInFailed(ProviderException):
    """The other server can't be used, or its answer can't be trusted. The message is for the log
    and holds nothing that the server sent."""


@contextmanager
def reject_malformed_answers() -> Iterator[None]:
    """allauth takes documents as they come. One with a field that is missing, or of another type,
    would be an error of this server."""
    try:
        yield
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise SignInFailed(f"The answer is malformed ({type(error).__name__}).") from error
