"""Limits of wrong passwords. The rule is in docs/decisions/0012."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest

from accounts.devices import find_device_id
from accounts.email_addresses import canonicalize_email, find_user_by_email
from accounts.models import User
from accounts.rate_limits import RateCounter, RateLimit, consume_all

MAX_EMAIL_CHARS = 400
"""No e-mail address can be longer."""
MINUTE_SECONDS, HOUR_SECONDS = 60, 60 * 60

CLIENT_LIMIT = RateLimit("login-of-client", 10, MINUTE_SECONDS)
CLIENT_ADDRESS_LIMIT = RateLimit("login-from-client", 5, 5 * MINUTE_SECONDS)
CLIENT_ADDRESS_HOURLY_LIMIT = RateLimit("login-from-client-hour", 15, HOUR_SECONDS)
UNKNOWN_DEVICES_LIMIT = RateLimit("login-from-strangers", 100, HOUR_SECONDS)
KNOWN_DEVICE_LIMIT = RateLimit("login-from-device", 10, 5 * MINUTE_SECONDS)


@dataclass(frozen=True, slots=True)
class LoginAttempt:
    """One attempt to enter the password of an address. The client is an IP address, or a /64 of
    IPv6."""

    email: str
    client: str
    user: User | None
    device_id: str | None

    @classmethod
    def from_request(cls, request: HttpRequest, client: str, email: str) -> LoginAttempt:
        email = email[:MAX_EMAIL_CHARS]
        account = find_user_by_email(email)
        device = find_device_id(request, account) if account else None
        return cls(canonicalize_email(email), client, account, device)

    def build_counters(self) -> list[RateCounter]:
        """The counters of an attempt. An attempt that one of them refuses is counted in none, so a
        client beyond its own limits does not use up the account's."""
        if self.user and self.device_id:
            return [KNOWN_DEVICE_LIMIT.counter_for(self.user.pk, self.device_id)]
        return [
            CLIENT_LIMIT.counter_for(self.client),
            *self._client_address_counters(),
            UNKNOWN_DEVICES_LIMIT.counter_for(*self._target_identity()),
        ]

    def try_consume(self) -> bool:
        """Count the attempt before the password is checked. Return False if it is one too many. A
        table filled by strangers does not lock out a known browser, whose cookie can't be
        forged."""
        if self.user and self.device_id:
            return KNOWN_DEVICE_LIMIT.counter_for(self.user.pk, self.device_id).try_consume(
                allow_if_full=True
            )
        return consume_all(self.build_counters())

    def give_back(self) -> None:
        """The password was correct. Remove only this attempt from the count: otherwise a guesser
        could clear the count by signing in to another account."""
        for count in self.build_counters():
            count.give_back()

    def clear_counters(self) -> None:
        """The owner has set a new password by a link in a mail, and may sign in at once."""
        for count in [
            *self._client_address_counters(),
            UNKNOWN_DEVICES_LIMIT.counter_for(*self._target_identity()),
        ]:
            count.clear()

    def _client_address_counters(self) -> list[RateCounter]:
        return [
            CLIENT_ADDRESS_LIMIT.counter_for(self.email, self.client),
            CLIENT_ADDRESS_HOURLY_LIMIT.counter_for(self.email, self.client),
        ]

    def _target_identity(self) -> tuple[str, object]:
        """An account has one count for all its addresses. An unknown address has a count as well,
        so that the two can't be told apart."""
        return ("account", self.user.pk) if self.user else ("address", self.email)
