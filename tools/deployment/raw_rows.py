"""Reads and changes a deployment's database directly, without the code under test."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

Row = dict[str, Any]

TEXT, REASONING, SEAM = 0, 1, 2  # the kinds of a chunk, as they are stored


class Rows:
    """Runs queries with `%s` for their parameters. Ids may be UUIDs on either database. Statements
    that change rows return some."""

    def query(self, sql: str, *values: Any) -> list[Row]:
        raise TypeError("ask SqliteRows or PostgresRows")

    def of(self, table: str, **equal: Any) -> list[Row]:
        """Return the rows whose columns have these values, ordered by id."""
        condition = " AND ".join(f'"{column}" = %s' for column in equal) or "1 = 1"
        statement = f'SELECT * FROM "{table}" WHERE {condition} ORDER BY 1'  # of tests # nosec B608
        return self.query(statement, *equal.values())

    def one(self, table: str, **equal: Any) -> Row:
        found = self.of(table, **equal)
        assert len(found) == 1, f"{len(found)} rows of {table} have {equal}"
        return found[0]

    def stream(self, uuid: UUID | str) -> Row:
        return self.one("streaming_stream", uuid=UUID(str(uuid)))

    def chunks(self, uuid: UUID | str) -> list[Row]:
        """Return a stream's journal by index."""
        return self.query(
            'SELECT * FROM streaming_streamchunk WHERE stream_id = %s ORDER BY "index"',
            self.stream(uuid)["id"],
        )

    def text(self, uuid: UUID | str, kind: int = TEXT) -> str:
        """Return the text of a stream's chunks of one kind."""
        return "".join(chunk["delta"] for chunk in self.chunks(uuid) if chunk["kind"] == kind)

    def message(self, uuid: UUID | str) -> Row:
        """Return the message that a stream writes."""
        return self.one("chat_message", stream_id=self.stream(uuid)["id"])


class SqliteRows(Rows):
    def __init__(self, file: Path) -> None:
        self._file = file

    def query(self, sql: str, *values: Any) -> list[Row]:
        with closing(sqlite3.connect(self._file, timeout=20)) as connection:
            connection.row_factory = sqlite3.Row
            found = connection.execute(sql.replace("%s", "?"), [_plain(v) for v in values])
            rows = [dict(row) for row in found.fetchall()]
            connection.commit()
            return rows


class PostgresRows(Rows):
    def __init__(self, url: str) -> None:
        self._url = url

    def query(self, sql: str, *values: Any) -> list[Row]:
        with self._connected() as connection:
            return connection.execute(sql, values).fetchall()

    @contextmanager
    def _connected(self) -> Iterator[psycopg.Connection[Row]]:
        with psycopg.connect(self._url, autocommit=True, row_factory=dict_row) as connection:
            yield connection


def _plain(value: Any) -> Any:
    """As Django stores it in SQLite."""
    if isinstance(value, UUID):
        return value.hex
    return value.isoformat(" ") if isinstance(value, datetime) else value
