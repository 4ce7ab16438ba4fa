"""The parts of an address that a request goes to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """`host` is a name, or an address without brackets. `path` includes the query."""

    scheme: str
    host: str
    port: int
    path: str
    is_literal: bool
    """Whether the host is an address and no name."""

    @property
    def origin(self) -> str:
        """As content security policies name it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        is_default = self.port == {"http": 80, "https": 443}[self.scheme]
        return f"{self.scheme}://{host}" + ("" if is_default else f":{self.port}")
