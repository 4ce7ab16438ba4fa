"""Checks a connection: asks its provider for the list of models, and stores the answer."""

from __future__ import annotations

from django.utils import timezone

from accounts.api_keys.checking import STATUS_BY_ERROR, select_models
from accounts.api_keys.statuses import KeyStatus
from accounts.connections.access import get_address, register_in_catalog
from accounts.connections.models import Connection
from accounts.connections.sealing import open_key
from accounts.server_lists import dump_model_info
from streaming.providers import errors, listing


def check_connection(connection: Connection) -> KeyStatus:
    """Takes five seconds at most, so call it outside of transactions. The result is stored unless
    the key or the address was changed meanwhile. Raises SealBroken."""
    register_in_catalog(connection)
    key, address = open_key(connection), get_address(connection)
    stored: dict[str, object] = {"last_checked_at": timezone.now()}
    try:
        models = listing.list_models_blocking(connection.provider, key, base_url=address)
    except errors.ProviderError as error:
        status = STATUS_BY_ERROR.get(type(error), KeyStatus.UNREACHABLE)
    else:
        status = KeyStatus.VALID
        offered, stored["left_out"] = select_models(connection.provider, models)
        stored["listed"] = [*map(dump_model_info, offered)]
    rows = Connection.objects.filter(
        pk=connection.pk, sealed=connection.sealed, address=connection.address
    )
    rows.update(check_result=status, **stored)
    return status
