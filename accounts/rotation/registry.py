"""The list of all sealed values in the database. A part of the product that stores one registers it
here; `manage.py rotate_keys` then re-seals it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from django.db.models import Model, Q, QuerySet
from django.utils.functional import Promise

from accounts.sealing import SealedSecret

Context = tuple[str | int, ...]


class SealedField(Protocol):
    """One place for a sealed value in a row."""

    @property
    def columns(self) -> tuple[str, ...]: ...

    def read(self, row: Any) -> SealedSecret | None:
        """None if the row holds none. Raises SealBroken for a value that can't be one."""
        ...

    def write(self, row: Any, sealed: SealedSecret) -> None: ...


@dataclass(frozen=True, slots=True)
class SealedColumns:
    """A ciphertext and the id of its master key, in two columns."""

    ciphertext: str
    master_key_id: str

    @property
    def columns(self) -> tuple[str, ...]:
        return self.ciphertext, self.master_key_id

    def read(self, row: Any) -> SealedSecret | None:
        ciphertext = bytes(getattr(row, self.ciphertext) or b"")
        return SealedSecret(getattr(row, self.master_key_id), ciphertext) if ciphertext else None

    def write(self, row: Any, sealed: SealedSecret) -> None:
        setattr(row, self.ciphertext, sealed.ciphertext)
        setattr(row, self.master_key_id, sealed.master_key_id)


@dataclass(frozen=True, slots=True)
class SealedText:
    """A text of `SealedSecret.to_text` in a column, or in an entry of a JSON column."""

    column: str
    entry: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def read(self, row: Any) -> SealedSecret | None:
        value = getattr(row, self.column)
        text = (value or {}).get(self.entry) if self.entry else value
        return SealedSecret.from_text(text) if text else None

    def write(self, row: Any, sealed: SealedSecret) -> None:
        value = sealed.to_text()
        if self.entry:
            setattr(row, self.column, {**getattr(row, self.column), self.entry: value})
        else:
            setattr(row, self.column, value)


@dataclass(frozen=True, slots=True)
class SealedValue:
    """A kind of sealed value. `get_context` returns what the value of a row was sealed for."""

    name: str | Promise
    model: type[Model]
    field: SealedField
    get_context: Callable[[Any], Context]
    rows: Q

    def list_rows(self) -> QuerySet[Model]:
        return self.model._default_manager.filter(self.rows)


_values: list[SealedValue] = []


def register_sealed(
    name: str | Promise,
    model: type[Model],
    field: SealedField,
    get_context: Callable[[Any], Context],
    rows: Q | None = None,
) -> None:
    """Call it in an app's `ready`. `name` is a plural for people, such as “API keys”. `rows`
    selects the rows that hold such a value, if not all do. Raises ValueError for another
    registration of the same place."""
    for value in [value for value in _values if (value.model, value.field) == (model, field)]:
        if value.name != name:
            raise ValueError(f"{name} is registered twice.")
        _values.remove(value)  # Django calls `ready` again after a change of INSTALLED_APPS
    _values.append(SealedValue(name, model, field, get_context, rows or Q()))


def list_sealed_values() -> Sequence[SealedValue]:
    return tuple(_values)
