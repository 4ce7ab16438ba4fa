"""The lists of models of servers that need no key: fetched by workers, for everybody.

No page waits for a server. Until the first list, and while a server is away, its row of the
configuration and its last list are what is known.
"""

from __future__ import annotations

import hashlib
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import timedelta
from threading import Lock, Thread
from typing import Any

from django.db import DataError, connection
from django.utils import timezone

from accounts.api_keys.checking import select_models
from accounts.models import ListStatus, ServerList
from accounts.providers import get_base_url
from streaming.outage import outage_monitor
from streaming.providers import catalog, errors, listing
from streaming.providers.http.parse import to_count, to_date, to_dicts, to_str
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
    errors.WrongAddress: ListStatus.REFUSED,  # it answered
}

Answer = tuple[ListStatus, tuple[ModelInfo, ...]]

logger = logging.getLogger(__name__)
_running = Lock()


@dataclass(frozen=True, slots=True)
class ListState:
    """The last answer of a server, and how many of its models are not offered."""

    status: ListStatus = ListStatus.UNKNOWN
    left_out: int = 0


def load_listed_models() -> dict[str, list[ModelInfo]]:
    """The last list of each server that needs no key. Costs no query if there is no such server."""
    return {row.provider: load_model_infos(row.listed) for row in _load_rows("listed")}


def load_list_states() -> dict[str, ListState]:
    """Of every server that needs no key, without the lists themselves."""
    states = {row.provider: _read_state(row) for row in _load_rows("status", "left_out")}
    return {provider: states.get(provider, ListState()) for provider in _list_addresses()}


def _load_rows(*fields: str) -> list[ServerList]:
    addresses = _list_addresses()
    if not addresses:
        return []
    rows = ServerList.objects.filter(provider__in=addresses).only("provider", "endpoint", *fields)
    return [row for row in rows if row.endpoint == hash_address(addresses[row.provider])]


# During a deployment, workers of another version store other fields and other statuses.


def _read_state(row: ServerList) -> ListState:
    is_known = row.status in ListStatus.values
    return ListState(ListStatus(row.status) if is_known else ListStatus.UNKNOWN, row.left_out)


def load_model_infos(listed: object) -> list[ModelInfo]:
    return [model for model in map(_load_model, to_dicts(listed)) if model.id]


def _load_model(fields: dict[str, Any]) -> ModelInfo:
    return ModelInfo(
        to_str(fields.get("id")),
        label=to_str(fields.get("label")),
        context_window=to_count(fields.get("context_window")),
        max_output=to_count(fields.get("max_output")),
        availability=to_str(fields.get("availability")),
        shutdown=to_date(fields.get("shutdown")),
    )


def dump_model_info(model: ModelInfo) -> dict[str, object]:
    fields = asdict(model) | {"shutdown": model.shutdown and model.shutdown.isoformat()}
    return {name: value for name, value in fields.items() if value not in (None, "")}


def _list_addresses() -> dict[str, str]:
    servers = (provider for provider in catalog.list_providers() if not provider.needs_key)
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
    except Exception as error:
        if not outage_monitor.is_outage(error):
            logger.exception("Lists of models could not be refreshed; trying again")
    finally:
        connection.close()
        _running.release()


def refresh_lists() -> None:
    """Takes as long as the slowest server, at most a few seconds."""
    claimed = [server for server in _list_addresses().items() if _try_claim(*server)]
    if not claimed:
        return
    with ThreadPoolExecutor(MAX_PARALLEL_REQUESTS) as threads:
        for server, answer in zip(claimed, threads.map(_request_list, claimed), strict=True):
            try:
                _save(*server, answer)
            except DataError:  # the lists of the other servers don't fail with this one
                logger.exception("The list of models of %s can't be stored", server[0])


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


def _request_list(server: tuple[str, str]) -> Answer:
    """Uses no database."""
    provider, address = server
    try:
        models = listing.list_models_blocking(provider, Secret(""), base_url=address)
    except errors.ProviderError as error:
        return STATUS_BY_ERROR.get(type(error), ListStatus.UNREACHABLE), ()
    except Exception as error:  # the lists of the other servers don't fail with this one
        logger.error("The list of models of %s failed: %s", provider, type(error).__name__)
        return ListStatus.UNREACHABLE, ()
    return ListStatus.LISTED, models


def _save(provider: str, address: str, answer: Answer) -> None:
    """Another address may have been configured meanwhile; then the row is that one's."""
    rows = ServerList.objects.filter(provider=provider, endpoint=hash_address(address))
    status, models = answer
    if status != ListStatus.LISTED:
        rows.update(status=status)
        return
    offered, left_out = select_models(provider, models)
    rows.update(status=status, left_out=left_out, listed=[*map(dump_model_info, offered)])
