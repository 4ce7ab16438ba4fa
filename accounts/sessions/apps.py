"""allauth's app with the table of sessions, without its receivers of signals."""

from __future__ import annotations

from allauth.usersessions.apps import UserSessionsConfig


class TrackedSessionsConfig(UserSessionsConfig):
    """accounts/sessions/tracking.py writes the rows. allauth's own receivers would read every
    session of a person at each sign-in, and fail for a client without an address."""

    default = False

    def ready(self) -> None:
        pass
