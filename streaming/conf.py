"""The engine's settings. Each is a Django setting with the prefix STREAMING_, and has a default."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar, overload

from django.conf import settings

T = TypeVar("T")

PREFIX = "STREAMING_"


class Setting(Generic[T]):
    """One setting. It is read from Django's settings each time, so tests can override it.

    `is_valid` is for the system checks, which report that the value must be `requirement`.
    """

    def __init__(
        self, default: T, is_valid: Callable[[Any], bool], requirement: str, purpose: str
    ) -> None:
        self.default = default
        self.is_valid = is_valid
        self.requirement = requirement
        self.__doc__ = purpose

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = PREFIX + name

    @overload
    def __get__(self, instance: None, owner: type) -> Setting[T]: ...

    @overload
    def __get__(self, instance: object, owner: type) -> T: ...

    def __get__(self, instance: object | None, owner: type) -> Setting[T] | T:
        if instance is None:
            return self
        value: T = getattr(settings, self.name, self.default)
        return value


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_positive(value: Any) -> bool:
    return type(value) is int and value > 0


def _is_duration(value: Any) -> bool:
    return type(value) in {int, float} and value >= 0


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_pools(value: Any) -> bool:
    return isinstance(value, dict) and all(_is_count(limit) for limit in value.values())


def _is_texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(text, str) for text in value)


class EngineSettings:
    MAX_STREAMS_PER_WORKER = Setting(
        200, _is_positive, "a positive integer", "How many streams a worker runs at once."
    )
    MAX_STREAMS_PER_USER = Setting(
        10,
        _is_positive,
        "a positive integer",
        "How many streams of one owner run at once; further ones wait in the queue.",
    )
    POOLS = Setting[dict[str, int]](
        {},
        _is_pools,
        "a dict of names and numbers",
        "For each limited pool, how many of its streams a worker runs at once.",
    )
    MAX_SOCKETS_PER_USER = Setting(
        100,
        _is_positive,
        "a positive integer",
        "How many sockets and event streams of one user a process accepts.",
    )
    MAX_UNREAD_BYTES_PER_USER = Setting(
        16 * 2**20,
        _is_positive,
        "a positive integer",
        "How many bytes of one-way answers a process may hold for clients of one user that have "
        "not read them.",
    )
    MAX_UNREAD_BYTES = Setting(
        64 * 2**20,
        _is_positive,
        "a positive integer",
        "The same for the clients of all users.",
    )
    MAX_FRAMES_PER_SECOND = Setting(
        20,
        _is_positive,
        "a positive integer",
        "How many frames a socket may send in a second, and twenty times as many at once. Pongs to "
        "the server's pings don't count.",
    )
    DRAIN_SECONDS = Setting[float](
        30,
        _is_duration,
        "a number of seconds",
        "How long running streams may continue after SIGTERM.",
    )
    FOLD_AFTER_SECONDS = Setting[float](
        24 * 60 * 60,
        _is_duration,
        "a number of seconds",
        "How long after its end a stream's chunks are kept.",
    )
    TRUSTED_ORIGINS = Setting[list[str]](
        [],
        _is_texts,
        "a list of origins such as https://example.org",
        "Origins that may open sockets and event streams besides the host that the request names, "
        "which needs one of their schemes.",
    )
    TRUSTED_PROXY_COUNT = Setting(
        0,
        _is_count,
        "an integer from 0 on",
        "How many of our own proxies stand before this server and set X-Forwarded-For.",
    )
    LOAD_TOKENS = Setting(
        "",
        _is_text,
        "the dotted path of a function, or empty",
        "A function that takes access tokens and returns a mapping from the valid ones to "
        "`streaming.doors.credentials.Access`. It is called in a thread, and again every few "
        "seconds while a connection is open. Empty: no client has a token.",
    )
    USER_REVISION_FIELD = Setting(
        "",
        _is_text,
        "the name of an integer field of the user model, or empty",
        "A field that grows with every change that clients show outside of streams. Sockets send "
        "its value in their `hello` and `ping` frames.",
    )
    SIMULATED_DROP = Setting(
        "",
        _is_text,
        "the dotted path of a function, or empty",
        "A function that takes a stream. It returns the seconds after which a socket or an event "
        "stream that follows the stream is closed, or None. So it shows that clients recover "
        "without a gap.",
    )


def list_settings() -> Iterator[Setting[Any]]:
    for setting in vars(EngineSettings).values():
        if isinstance(setting, Setting):
            yield setting


engine_settings = EngineSettings()
