"""Problems that the application logs while an input is handled."""

from __future__ import annotations

import logging
from types import TracebackType
from typing import Self

from config.logs import ClientErrorFilter


class ProblemHandler(logging.Handler):
    """Collects log records that would be a problem on a real server."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []
        self.addFilter(ClientErrorFilter())

    def emit(self, record: logging.LogRecord) -> None:
        is_refusal = record.name.startswith("django.security")
        if record.exc_info or (record.levelno >= logging.ERROR and not is_refusal):
            self.records.append(record)

    def __enter__(self) -> Self:
        logging.getLogger().addHandler(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        logging.getLogger().removeHandler(self)
