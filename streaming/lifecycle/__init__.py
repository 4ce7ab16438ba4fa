"""The states of a stream, and what moves it from one to the next.

    queued → running → completed | stopped | failed | interrupted

Each move is one conditional UPDATE whose row count says whether it happened, so of two that try at
once only one succeeds. The application's `finalize` runs in the transaction of the ending.

Rows are locked in one order: the stream first, then what `finalize` locks. Code that locks those
rows first, to delete them, has to stop their streams before.
"""

from __future__ import annotations

from streaming.lifecycle.ending import (
    SERVER_STOPPED,
    SOURCE_ENDED_EARLY,
    STOPPED,
    Ending,
    end,
    stop,
    stop_streams_of_inactive_owners,
    stop_streams_of_owner,
)
from streaming.lifecycle.enqueue import NOTE_LANE_BUSY, enqueue
from streaming.lifecycle.folding import fold_ended_streams
from streaming.lifecycle.leases import (
    begin_drain,
    deregister_worker,
    read_own_streams,
    register_worker,
    release_streams,
    renew_lease,
)
from streaming.lifecycle.notifications import notify_workers
from streaming.lifecycle.queue import (
    NOTE_QUEUE_FULL,
    NOTE_USER_LIMIT,
    claim,
    claim_stream,
    update_queue_notes,
)
from streaming.lifecycle.running import (
    MAX_RESTARTS,
    MAX_TAKEOVERS,
    has_exhausted_attempts,
    is_stopped_or_deleted,
    save_checkpoint,
    set_note,
)

__all__ = [
    "MAX_RESTARTS",
    "MAX_TAKEOVERS",
    "NOTE_LANE_BUSY",
    "NOTE_QUEUE_FULL",
    "NOTE_USER_LIMIT",
    "SERVER_STOPPED",
    "SOURCE_ENDED_EARLY",
    "STOPPED",
    "Ending",
    "begin_drain",
    "claim",
    "claim_stream",
    "deregister_worker",
    "end",
    "enqueue",
    "fold_ended_streams",
    "has_exhausted_attempts",
    "is_stopped_or_deleted",
    "notify_workers",
    "read_own_streams",
    "register_worker",
    "release_streams",
    "renew_lease",
    "save_checkpoint",
    "set_note",
    "stop",
    "stop_streams_of_inactive_owners",
    "stop_streams_of_owner",
    "update_queue_notes",
]
