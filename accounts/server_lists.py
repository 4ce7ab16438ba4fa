"""The lists of models of servers that need no key: fetched by workers, for everybody.

No page waits for a server. Until the first list, and while a server is away, its row of the
configuration and its last list are what is known.
"""

from __future__ import annotations

import hashlib
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from threading import Lock, Thread

from django.db import connection
from django.utils import timezone

from accounts.api_keys.checking import select_models
from accounts.models import ListStatus, ServerList
from accounts.providers import get_base_url
from streaming.providers import catalog, errors, listing
from streaming.providers.redaction import Secret
from streaming.providers.types import ModelInfo

REFRESH_INTERVAL = timedelta(seconds=55)
"""Workers look once a minute; the first of them requests the lists."""
MAX_PARALLEL_REQUESTS = 8

STATUS_BY_ERROR = {
    errors.UnreadableList: ListStatus.UNREADABLE,
    errors.InvalidKey: ListStatus.REFUSED,
    errors.NoPermission: ListStatus.REFUSED,
    errors.ModelNotFound: ListStatus.REFUSED,  # 404: the server has no list
}

logger = logging.getLogger(__name__)
_running = Lock()


@dataclass(frozen=True, slots=True)
class KnownList:
    """The last answer of a server, and the last list that it sent."""

    status: ListStatus = ListStatus.UNKNOWN
    models: tuple[ModelInfo, ...] = ()


def load_server_lists() -> dict[str, KnownList]:
    """By provider, for every server that needs no key. Costs no query if there is none."""
    addresses = _list_addresses()
    if not addresses:
        return {}
    known = {row.provider: row for row in ServerList.objects.filter(provider__in=addresses)}
    return {
        provider: _read_row(known.get(provider), address) for provider, address in addresses.items()
    }


def _read_row(row: ServerList | None, address: str) -> KnownList:
    if row is None or row.endpoint != hash_address(address):
        return KnownList()
    return KnownList(ListStatus(row.status), tuple(_load_model(fields) for fields in row.listed))


def _load_model(fields: dict[str, str]) -> ModelInfo:
    model = ModelInfo(**fields)  # type: ignore[arg-type]
    shutdown = fields.get("shutdown")
    return replace(model, shutdown=date.fromisoformat(shutdown)) if shutdown else model


def _dump_model(model: ModelInfo) -> dict[str, object]:
    fields = asdict(model) | {"shutdown": model.shutdown and model.shutdown.isoformat()}
    return {name: value for name, value in fields.items() if value not in (None, "")}


def _list_addresses() -> dict[str, str]:
    servers = (provider for provider in catalog.PROVIDERS.values() if not provider.needs_key)
    addresses = {provider.id: get_base_url(provider.id) for provider in servers}
    return {provider: address for provider, address in addresses.items() if address}


def hash_address(address: str) -> str:
    """An address may hold a password."""
    return hashlib.sha256(address.encode()).hexdigest()


# Refreshing


def start_refresh() -> None:
    """Request the lists that are due, in a thread: a server that is away takes seconds, and the
    worker's threads have other work."""
    if _list_addresses() and _running.acquire(blocking=False):
        Thread(target=_refresh_in_thread, name="model lists", daemon=True).start()


def _refresh_in_thread() -> None:
    try:
        refresh_lists()
    finally:
        connection.close()
        _running.release()


def refresh_lists() -> None:
    """Takes as long as the slowest server, at most a few seconds."""
    claimed = [item for item in _list_addresses().items() if _try_claim(*item)]
    if not claimed:
        return
    with ThreadPoolExecutor(MAX_PARALLEL_REQUESTS) as threads:
        for provider, known in zip(claimed, threads.map(_request_list, claimed), strict=True):
            _save(provider[0], known)


def _try_claim(provider: str, address: str) -> bool:
    """Whether this process is to request the list now."""
    now, endpoint = timezone.now(), hash_address(address)
    row, created = ServerList.objects.get_or_create(
        provider=provider,
        defaults={"endpoint": endpoint, "next_check_at": now + REFRESH_INTERVAL},
    )
    if created:
        return True
    rows = ServerList.objects.filter(pk=row.pk)
    if row.endpoint != endpoint:
        void = {"endpoint": endpoint, "listed": [], "status": "", "left_out": 0}
        return bool(
            rows.filter(endpoint=row.endpoint).update(next_check_at=now + REFRESH_INTERVAL, **void)
        )
    due = rows.filter(next_check_at__lte=now)
    return bool(due.update(next_check_at=now + REFRESH_INTERVAL))


def _request_list(server: tuple[str, str]) -> KnownList:
    """Uses no database."""
    provider, address = server
    try:
        models = listing.list_models_blocking(provider, Secret(""), base_url=address)
    except errors.ProviderError as error:
        return KnownList(STATUS_BY_ERROR.get(type(error), ListStatus.UNREACHABLE))
    except Exception as error:  # the lists of the other servers don't fail with this one
        logger.error("The list of models of %s failed: %s", provider, type(error).__name__)
        return KnownList(ListStatus.UNREACHABLE)
    return KnownList(ListStatus.LISTED, models)


def _save(provider: str, answer: KnownList) -> None:
    rows = ServerList.objects.filter(provider=provider)
    if answer.status != ListStatus.LISTED:
        rows.update(status=answer.status)
        return
    offered, left_out = select_models(answer.models)
    rows.update(status=answer.status, left_out=left_out, listed=[*map(_dump_model, offered)])
