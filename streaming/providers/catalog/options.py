"""The settings of one compatible server: time, headers and fields of its requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from streaming.providers.redaction import Secret
from streaming.providers.types import REASONING_TIMEOUT_SECONDS, Timeouts

AddressCheck = Callable[[str, int, Sequence[str]], None]
"""Takes host, port and all addresses of the host. Raises OSError."""
DEFAULT_FIRST_WORD_SECONDS = 1800.0
"""Most of these servers run on a machine of the administrator's, where a long prompt is computed
for minutes, and a model may be loaded first. A request that is given up is computed for nothing. A
server that is not there is noticed by the time limit of the connection."""


@dataclass(frozen=True, slots=True, eq=False)
class ServerOptions:
    """`headers` are sent with every request and may be secret. `body` is sent with requests for
    replies; the fields of ours win. `check_addresses` may refuse the addresses of the server before
    one of them is dialled."""

    first_word_seconds: float = DEFAULT_FIRST_WORD_SECONDS
    headers: Mapping[str, Secret] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)
    check_addresses: AddressCheck | None = None

    @property
    def timeouts(self) -> Timeouts:
        seconds = self.first_word_seconds
        return Timeouts(first_delta=seconds, reasoning=max(seconds, REASONING_TIMEOUT_SECONDS))
