"""Wrong passwords: how many may be tried, by whom. The rule is in docs/decisions/passwords.md."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest

from accounts.addresses import find_account, spelling
from accounts.devices import known_device
from accounts.limits import Count, Limit, take_all
from accounts.models import User

MAX_ADDRESS_CHARS = 400
"""Longer than any e-mail address may be."""
MINUTE, HOUR = 60, 60 * 60

OF_CLIENT = Limit("login-of-client", 10, MINUTE)
FROM_CLIENT = Limit("login-from-client", 5, 5 * MINUTE)
FROM_CLIENT_LONG = Limit("login-from-client-hour", 15, HOUR)
FROM_STRANGERS = Limit("login-from-strangers", 100, HOUR)
FROM_DEVICE = Limit("login-from-device", 10, 5 * MINUTE)

FORMS_OF_CLIENT = Limit("login-forms-of-client", 30, MINUTE)
FORMS_OF_DEVICE = Limit("login-forms-of-device", 30, MINUTE)


@dataclass(frozen=True, slots=True)
class Guess:
    """One try of a password for an address, from a client: its IP address, or the /64 of it."""

    address: str
    client: str
    account: User | None
    device: str | None

    @classmethod
    def of(cls, request: HttpRequest, client: str, address: str) -> Guess:
        address = address[:MAX_ADDRESS_CHARS]
        account = find_account(address)
        device = known_device(request, account) if account else None
        return cls(spelling(address), client, account, device)

    def counts(self) -> list[Count]:
        """What it counts in. The client's own comes first: one that has used up its tries makes no
        further rows for others. The account's comes last: that client uses up nobody else's."""
        if self.account and self.device:
            return [FROM_DEVICE.of(self.account.pk, self.device)]
        return [
            OF_CLIENT.of(self.client),
            *self._of_this_address(),
            FROM_STRANGERS.of(*self._target()),
        ]

    def take(self) -> bool:
        """Count it before the password is looked at. False if it is one too many. A known browser
        is not barred by a table that strangers have filled: its cookie is no one else's to make."""
        if self.account and self.device:
            return FROM_DEVICE.of(self.account.pk, self.device).take(if_full=True)
        return take_all(self.counts())

    def give_back(self) -> None:
        """The password was right. Only this try is taken back: otherwise a guesser could clear
        the count by signing in as somebody else now and then."""
        for count in self.counts():
            count.give_back()

    def forget(self) -> None:
        """The account has a new password, by a link in a mail: its owner may sign in at once."""
        for count in [*self._of_this_address(), FROM_STRANGERS.of(*self._target())]:
            count.clear()

    def take_form(self) -> bool:
        """Count a sign-in form that was sent, whatever is in it."""
        if self.account and self.device:
            return FORMS_OF_DEVICE.of(self.account.pk, self.device).take(if_full=True)
        return FORMS_OF_CLIENT.of(self.client).take()

    def _of_this_address(self) -> list[Count]:
        return [
            FROM_CLIENT.of(self.address, self.client),
            FROM_CLIENT_LONG.of(self.address, self.client),
        ]

    def _target(self) -> tuple[str, object]:
        """An account has one count for all its addresses. One that does not exist has one, too, so
        that nobody can tell them apart."""
        return ("account", self.account.pk) if self.account else ("address", self.address)
