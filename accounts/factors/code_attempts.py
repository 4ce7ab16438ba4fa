"""Limits of wrong codes. They are counted as those of passwords are (docs/decisions/0012): a
browser that has signed in completely before has its own count, so that a thief of the password does
not lock out the owner there. All other browsers of an account share one count a day, also those
that have set a new password: neither a reset nor a new cookie renews it."""

from __future__ import annotations

from dataclasses import dataclass

from allauth.account.adapter import get_adapter
from django.http import HttpRequest

from accounts.devices import find_signed_in_device_id
from accounts.models import User
from accounts.rate_limits import RateCounter, RateLimit, consume_all

MINUTE_SECONDS, DAY_SECONDS = 60, 24 * 60 * 60

CLIENT_LIMIT = RateLimit("code-from-client", 5, 5 * MINUTE_SECONDS)
UNKNOWN_DEVICES_LIMIT = RateLimit("code-from-strangers", 50, DAY_SECONDS)
KNOWN_DEVICE_LIMIT = RateLimit("code-from-device", 10, 5 * MINUTE_SECONDS)
KNOWN_DEVICE_DAILY_LIMIT = RateLimit("code-from-device-day", 50, DAY_SECONDS)
"""Of a million codes five are valid at a time: 50 guesses a day find one with a chance of 1 in
4,000."""


@dataclass(frozen=True, slots=True)
class CodeAttempt:
    """One attempt to enter a code of an account, by a person who knows its password or has its
    session."""

    user: User
    client: str
    device_id: str | None

    @classmethod
    def from_request(cls, request: HttpRequest, user: User) -> CodeAttempt:
        device = find_signed_in_device_id(request, user)
        return cls(user, get_adapter().get_client_network(request), device)

    def try_consume(self) -> bool:
        """Count the attempt before the code is checked. Return False if it is one too many. A table
        filled by strangers does not lock out a known browser."""
        if self.device_id:
            return all(one.try_consume(allow_if_full=True) for one in self._list_counters())
        return consume_all(self._list_counters())

    def give_back(self) -> None:
        """The code was correct."""
        for counter in self._list_counters():
            counter.give_back()

    def _list_counters(self) -> list[RateCounter]:
        if self.device_id:
            return [
                KNOWN_DEVICE_LIMIT.counter_for(self.user.pk, self.device_id),
                KNOWN_DEVICE_DAILY_LIMIT.counter_for(self.user.pk, self.device_id),
            ]
        return [
            CLIENT_LIMIT.counter_for(self.user.pk, self.client),
            UNKNOWN_DEVICES_LIMIT.counter_for(self.user.pk),
        ]
