"""Guards of the views: `signed_in` and `require_post_or_redirect`."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from accounts.models import User

P = ParamSpec("P")
ViewFunction = Callable[..., HttpResponse]


class HtmxRequest(HttpRequest):
    """A request as the middleware of django_htmx leaves it."""

    htmx: HtmxDetails


class UserRequest(HtmxRequest):
    """A request that `signed_in` has let through."""

    user: User


def redirect_to_sign_in(request: HtmxRequest, next_url: str) -> HttpResponse:
    response = redirect_to_login(next_url)
    return HttpResponseClientRedirect(response.url) if request.htmx else response


def ask_to_sign_in(request: HtmxRequest, **kwargs: Any) -> HttpResponse:
    """After the sign-in the browser returns to a page that was read, and to the start page after
    anything else."""
    is_read = request.method in {"GET", "HEAD"}
    return redirect_to_sign_in(request, request.get_full_path() if is_read else reverse("home"))


def sign_in_and_return(request: HtmxRequest, **kwargs: Any) -> HttpResponse:
    """For addresses that also answer GET: the browser returns there after the sign-in."""
    return redirect_to_sign_in(request, request.get_full_path())


def answer_unauthorized(request: HtmxRequest, **kwargs: Any) -> HttpResponse:
    """For requests of scripts, which then show the dialog of a session that has ended."""
    return HttpResponse(status=401)


def signed_in(
    otherwise: ViewFunction = ask_to_sign_in,
) -> Callable[
    [Callable[Concatenate[UserRequest, P], HttpResponse]],
    Callable[Concatenate[HtmxRequest, P], HttpResponse],
]:
    """Call the view for signed-in people, and `otherwise` with the same arguments for others."""

    def decorator(
        view: Callable[Concatenate[UserRequest, P], HttpResponse],
    ) -> Callable[Concatenate[HtmxRequest, P], HttpResponse]:
        @wraps(view)
        def wrapper(request: HtmxRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            if not request.user.is_authenticated:
                return otherwise(request, *args, **kwargs)
            return view(cast(UserRequest, request), *args, **kwargs)

        return wrapper

    return decorator


def require_post_or_redirect(url_name: str) -> Callable[[ViewFunction], ViewFunction]:
    """Accept POST, and redirect GET to the page of this name, with the same arguments.

    A rejected form is a page at the address of the POST. A tab that is restored later asks for
    that address by GET."""

    def decorator(view: ViewFunction) -> ViewFunction:
        post_only = require_POST(view)

        @wraps(view)
        def wrapper(request: HttpRequest, **kwargs: Any) -> HttpResponse:
            is_read = request.method in {"GET", "HEAD"}
            return redirect(url_name, **kwargs) if is_read else post_only(request, **kwargs)

        return wrapper

    return decorator
