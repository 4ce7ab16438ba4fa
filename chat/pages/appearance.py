"""The colours and the font of replies in one browser, as cookies."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

CHOICES = {"theme": {"light", "dark"}, "type": {"sans"}}
"""Values of each cookie. Any other value means the default, and deletes the cookie."""
COOKIE_AGE_SECONDS = 365 * 24 * 60 * 60


@require_POST
def set_appearance(request: HttpRequest, name: str) -> HttpResponse:
    next_url = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(next_url, allowed_hosts=None):
        next_url = reverse("home")
    response = HttpResponseRedirect(next_url)  # `redirect` would resolve a word as a view's name
    chosen = request.POST.get(name, "")
    if chosen in CHOICES[name]:
        response.set_cookie(
            name, chosen, max_age=COOKIE_AGE_SECONDS, samesite="Lax", secure=request.is_secure()
        )
    else:
        response.delete_cookie(name, samesite="Lax")
    return response
