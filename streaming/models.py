"""The rows of the engine: a stream, its chunks or their cuts, and the workers that run streams.

A stream is one run of a source of text for an owner. Its chunks are its journal: indexes
0, 1, 2 … without a hole, never changed once written. These rows are the truth; the channel layer,
sockets and memory only make readers faster.

`lifecycle` moves streams from state to state; `journal` writes and reads the chunks.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import timedelta
from enum import StrEnum
from uuid import UUID

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from streaming.conf import engine_settings

LEASE_DURATION = timedelta(seconds=12)
"""How long a worker counts as alive after it last renewed its lease."""

LEASE_RENEWAL_SECONDS = 3.0
"""How often a worker renews its lease."""

MAX_CHECKPOINT_CHARS = 200
"""The most characters of each half of a checkpoint."""


class State(models.TextChoices):
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    STOPPED = "stopped"
    FAILED = "failed"
    INTERRUPTED = "interrupted"

    @property
    def has_ended(self) -> bool:
        return self not in UNFINISHED_STATES


UNFINISHED_STATES = (State.QUEUED, State.RUNNING)


class Worker(models.Model):
    """A process that runs streams. Every start makes a new row, so that a process that was frozen
    and replaced can't be mistaken for its successor."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=100, blank=True)
    started_at = models.DateTimeField(db_default=Now(), editable=False)
    lease_until = models.DateTimeField(db_index=True, editable=False)
    draining = models.BooleanField(default=False, editable=False)

    def __str__(self) -> str:
        return self.name or str(self.id)


ORPHANED = Q(worker=None) | Q(worker__lease_until__lt=Now())
"""Has no living worker: queued, released, or claimed by a worker that died."""


class StreamQuerySet(models.QuerySet["Stream"]):
    def owned_by(self, user: AbstractBaseUser) -> StreamQuerySet:
        """The engine's only rule of access."""
        return self.filter(owner_id=user.pk)

    def find_owned(self, pairs: Collection[tuple[int, UUID]]) -> dict[tuple[int, UUID], Stream]:
        """The same rule for many users at once: the streams by the ids of their owners and their
        UUIDs. Readers of those that have ended do not need their arguments."""
        streams = list(self.filter(uuid__in={uuid for _, uuid in pairs}))
        for stream in streams:
            if stream.ended_at is not None:
                stream.forget_arguments()
        return {(stream.owner_id, stream.uuid): stream for stream in streams}

    def unfinished(self) -> StreamQuerySet:
        return self.filter(ended_at=None)

    def claimable(self) -> StreamQuerySet:
        """Queued and first in its lane, of an active owner. `scheduling` decides the order."""
        ahead = Stream.objects.filter(lane=OuterRef("lane"), id__lt=OuterRef("id")).unfinished()
        queued = self.unfinished().filter(state=State.QUEUED, owner__is_active=True)
        return queued.filter(Q(lane="") | ~Exists(ahead))

    def orphaned(self) -> StreamQuerySet:
        """Oldest first."""
        return self.unfinished().filter(ORPHANED, state=State.RUNNING).order_by("id")

    def foldable(self) -> StreamQuerySet:
        """Streams that ended long enough ago and are not folded yet."""
        age = timedelta(seconds=engine_settings.FOLD_AFTER_SECONDS)
        return self.filter(ended_at__lt=Now() - age, folded_at=None).order_by("id")


class Stream(models.Model):
    """One run of a source. Clients know its `uuid`; its many chunks have the smaller `id`.

    `epoch` counts the claims. A worker appends and ends under the epoch of its claim, and the
    database rejects it once another worker has claimed the stream.
    """

    id = models.BigAutoField(primary_key=True)
    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="streams"
    )
    request_id = models.UUIDField(
        help_text="Made by the client; the same request is answered by the same stream."
    )
    source = models.CharField(max_length=50, help_text="The name of the registered source.")
    arguments = models.JSONField(default=dict, blank=True)
    lane = models.CharField(
        max_length=64, blank=True, help_text="Streams of one lane run one at a time, in order."
    )
    pool = models.CharField(
        max_length=20,
        blank=True,
        default="",
        db_default="",
        help_text="The limited pool in STREAMING_POOLS that it belongs to; empty: none.",
    )
    size = models.PositiveIntegerField(
        default=0, db_default=0, help_text="Characters that the application stored to ask for it."
    )
    continues = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="continued_by",
        help_text="The stream whose text this one continues.",
    )

    state = models.CharField(max_length=12, choices=State, default=State.QUEUED)
    epoch = models.PositiveIntegerField(default=0)
    worker = models.ForeignKey(
        Worker, null=True, blank=True, on_delete=models.SET_NULL, related_name="streams"
    )
    attempts = models.PositiveSmallIntegerField(
        default=0, help_text="How often it was taken over from a worker that had died."
    )
    next_index = models.PositiveIntegerField(default=0)
    length = models.PositiveIntegerField(default=0, help_text="Code points of text so far.")
    note = models.CharField(
        max_length=200, blank=True, help_text="For people: what it is waiting for or trying."
    )

    error_class = models.CharField(max_length=50, blank=True)
    error = models.TextField(blank=True, help_text="A sentence for people.")
    error_detail = models.TextField(
        blank=True, help_text="The words of the service behind the source, without secrets."
    )
    finish_reason = models.CharField(max_length=30, blank=True)
    usage = models.JSONField(default=dict, blank=True)
    upstream_id = models.CharField(max_length=MAX_CHECKPOINT_CHARS, blank=True)
    upstream_cursor = models.CharField(max_length=MAX_CHECKPOINT_CHARS, blank=True)

    created_at = models.DateTimeField(db_default=Now(), editable=False)
    claimed_at = models.DateTimeField(null=True, blank=True)
    first_chunk_at = models.DateTimeField(null=True, blank=True)
    last_chunk_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    folded_at = models.DateTimeField(null=True, blank=True)

    objects = StreamQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["owner", "request_id"], name="stream_once_per_request"),
            models.CheckConstraint(condition=Q(state__in=State.values), name="stream_known_state"),
            models.CheckConstraint(
                condition=Q(state__in=UNFINISHED_STATES, ended_at=None)
                | (~Q(state__in=UNFINISHED_STATES) & Q(ended_at__isnull=False)),
                name="stream_ended_or_not",
            ),
        ]
        indexes = [
            # The first three hold only the unfinished few, so that claiming costs the same with
            # ten streams in the table or ten million.
            models.Index(fields=["id"], name="stream_unfinished", condition=Q(ended_at=None)),
            models.Index(fields=["lane", "id"], name="stream_lane", condition=Q(ended_at=None)),
            models.Index(
                fields=["state", "owner", "id"], name="stream_turns", condition=Q(ended_at=None)
            ),
            models.Index(fields=["owner", "created_at"], name="stream_recent"),
            models.Index(fields=["ended_at"], name="stream_foldable", condition=Q(folded_at=None)),
        ]

    def __str__(self) -> str:
        return f"{self.uuid} ({self.state})"

    def forget_arguments(self) -> None:
        """Free their memory. They are read again if anybody asks for them."""
        self.__dict__.pop("arguments", None)

    def forget_related_rows(self) -> None:
        """The same for the rows that Django has linked to this one."""
        self._state.fields_cache.clear()

    @property
    def checkpoint(self) -> str:
        """The position from which the source can continue, in a form of its own; empty if there is
        none."""
        return f"{self.upstream_id} {self.upstream_cursor}".rstrip(" ")


def split_checkpoint(checkpoint: str) -> tuple[str, str]:
    """Split at the first space into two columns. A checkpoint that does not fit them counts as
    none."""
    upstream_id, _, cursor = checkpoint.partition(" ")
    fits = len(upstream_id) <= MAX_CHECKPOINT_CHARS >= len(cursor) and "\0" not in checkpoint
    return (upstream_id, cursor) if fits else ("", "")


class Kind(StrEnum):
    """The kind of a chunk. These names are used everywhere but in the database, which has numbers.

    A newer version may write further kinds. This one passes them on under their number as a name.
    """

    TEXT = "text"
    REASONING = "reasoning"
    SEAM = "seam"
    TOOL_CALL = "tool_call"


class KindNumbers(dict[str, int]):
    def __missing__(self, kind: str) -> int:
        return int(kind)


class KindNames(dict[int, str]):
    def __missing__(self, number: int) -> str:
        return str(number)


KIND_NUMBERS = KindNumbers({Kind.TEXT: 0, Kind.REASONING: 1, Kind.SEAM: 2, Kind.TOOL_CALL: 3})
# Plain strings, because members of an enumeration take longer to format into a frame.
KINDS_BY_NUMBER = KindNames({number: str(kind) for kind, number in KIND_NUMBERS.items()})
KIND_CHOICES = [
    (number, kind.replace("_", " ").capitalize()) for kind, number in KIND_NUMBERS.items()
]


class StreamChunk(models.Model):
    """A piece of a stream's text. It holds the new text only (docs/decisions/0001).

    The database has no foreign-key constraint here: the statement that inserts the chunks also
    updates the stream's row, and a constraint would look that row up once more for every chunk. The
    columns are in an order that needs no padding.
    """

    pk = models.CompositePrimaryKey("stream_id", "index")
    stream = models.ForeignKey(
        Stream,
        on_delete=models.CASCADE,
        db_constraint=False,
        db_index=False,
        related_name="chunks",
    )
    index = models.PositiveIntegerField()
    offset = models.PositiveIntegerField(help_text="Code points of this kind before it.")
    created_at = models.DateTimeField(db_default=Now())
    kind = models.PositiveSmallIntegerField(choices=KIND_CHOICES)
    delta = models.TextField()

    def __str__(self) -> str:
        return f"{self.stream_id}:{self.index}"


class FoldedJournal(models.Model):
    """The cuts of a folded stream, from which its chunks can be built again. A stream without a
    row was folded by an older version, or its application shows nothing of it.

    It is a table of its own, because rows of streams are read often and cuts seldom. The constraint
    of the database is in the migration: it deletes this row with its stream even if an older
    version, which knows no such table, deletes the stream.
    """

    stream = models.OneToOneField(
        Stream,
        primary_key=True,
        on_delete=models.CASCADE,
        db_constraint=False,
        related_name="folded_journal",
    )
    cuts = models.BinaryField(help_text="As streaming/journal/cuts.py packs them.")

    def __str__(self) -> str:
        return f"{self.stream_id}: {len(self.cuts)} bytes"
