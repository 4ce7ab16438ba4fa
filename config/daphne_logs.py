"""Daphne's access log, without queries, names of clients and parts of addresses that are secret."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from daphne.access import AccessLogGenerator

from config.health import HEALTH_PATH
from config.logs import NO_CLIENT, method_for_log, path_for_log

_original_log_action = AccessLogGenerator.__call__


def redact_access_log() -> None:
    """Write redacted lines from now on, and none for the health check."""
    AccessLogGenerator.__call__ = _log_redacted_action


def _log_redacted_action(self: Any, protocol: str, action: str, details: dict[str, Any]) -> None:
    path = unquote(details["path"].partition("?")[0])
    if path != HEALTH_PATH:
        method = method_for_log(details.get("method", ""))
        shown = {"path": path_for_log(path), "method": method, "client": NO_CLIENT}
        _original_log_action(self, protocol, action, details | shown)
