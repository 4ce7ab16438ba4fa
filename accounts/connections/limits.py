"""The monthly limit of each person for a connection.

A reply is accepted while the person's use of this month, together with the most that their
unfinished replies may use, is below the limit. So the limit is exceeded by one reply at most,
however many are sent at once. When a worker begins a reply, the use is checked once more. A reply
that was accepted for another key is then checked as a new one would be.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, auto
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from accounts.connections.models import Connection
from accounts.ledger.counting import Total, get_current_month, get_next_month, read_total
from accounts.models import User


class LimitRefusal(Enum):
    """Why a person can't have another reply over a connection."""

    NO_PRICE = auto()
    USED_UP = auto()
    RESERVED = auto()


@dataclass(frozen=True, slots=True)
class Reserve:
    """The most that a reply may use. Without a known price, `dollars` is None."""

    connection_id: int
    tokens: int
    dollars: Decimal | None

    def to_json(self) -> dict[str, Any]:
        dollars = None if self.dollars is None else str(self.dollars)
        return {"connection": self.connection_id, "tokens": self.tokens, "dollars": dollars}


def is_limit_reached(user: User, connection: Connection) -> bool:
    return connection.has_limit and _exceeds(connection, read_total(user.pk, connection.pk))


def find_refusal(
    user: User, connection: Connection, reserve: Reserve, reserves: list[dict[str, Any]]
) -> LimitRefusal | None:
    """None if this person can have another reply over the connection. `reserves` are those of their
    unfinished replies."""
    if not connection.has_limit:
        return None
    if reserve.dollars is None and connection.token_limit is None:
        return LimitRefusal.NO_PRICE
    used = read_total(user.pk, connection.pk)
    if _exceeds(connection, used):
        return LimitRefusal.USED_UP
    mine = [each for each in reserves if each["connection"] == connection.pk]
    dollars = sum((Decimal(each["dollars"] or 0) for each in mine), Decimal())
    tokens = sum(int(each["tokens"]) for each in mine)
    if _exceeds(connection, Total(used.tokens + tokens, used.dollars + dollars)):
        return LimitRefusal.RESERVED
    return None


def describe_refusal(refusal: LimitRefusal, user: User, connection: Connection) -> str:
    """A sentence that says why, and when the person can have another reply."""
    if refusal == LimitRefusal.NO_PRICE:
        return _(
            "This model has no known price, so it can’t be counted toward your limit for "
            "%(connection)s. Choose another model, or ask your administrator."
        ) % {"connection": connection.name}
    if refusal == LimitRefusal.RESERVED:
        return _(
            "Your running replies may use up the rest of your monthly limit for %(connection)s. "
            "Wait for one to finish."
        ) % {"connection": connection.name}
    used = read_total(user.pk, connection.pk)
    return _("%(use)s Choose another model, or continue on %(day)s (UTC).") % {
        "use": describe_use(connection, used),
        "day": date_format(get_next_month(get_current_month()), "j F Y"),
    }


def describe_use(connection: Connection, used: Total) -> str:
    """How much of which limit a person has used this month."""
    values = {"connection": connection.name}
    sentences = []
    if connection.dollar_limit is not None:
        values |= {"used": f"{used.dollars:,.2f}", "limit": f"{connection.dollar_limit:,.2f}"}
        sentences.append(
            _("You have used $%(used)s of your $%(limit)s for %(connection)s this month.") % values
        )
    if connection.token_limit is not None:
        values |= {"used": f"{used.tokens:,}", "limit": f"{connection.token_limit:,}"}
        sentences.append(
            _("You have used %(used)s of your %(limit)s tokens for %(connection)s this month.")
            % values
        )
    if not sentences:
        values |= {"used": f"{used.tokens:,}", "dollars": f"{used.dollars:,.2f}"}
        sentences.append(
            _("You have used %(used)s tokens this month, about $%(dollars)s.") % values
        )
    return " ".join(sentences)


def _exceeds(connection: Connection, used: Total) -> bool:
    dollars, tokens = connection.dollar_limit, connection.token_limit
    return (dollars is not None and used.dollars >= dollars) or (
        tokens is not None and used.tokens >= tokens
    )
