"""Writers that number their requests: a request that is sent again is written once, and one of a
writer that was replaced is refused."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from django.utils.translation import gettext_lazy as _

from chat.api.problems import Problem
from chat.doors.durable_streams import protocol
from chat.doors.durable_streams.models import DurableProducer, DurableStream
from chat.doors.durable_streams.requests import Producer, build_bad_request


class Verdict(Enum):
    NEW = auto()
    REPEATED = auto()


@dataclass(frozen=True, slots=True)
class ProducerState:
    """`last_sequence` is the last request that was accepted."""

    verdict: Verdict
    last_sequence: int


def check_producer(stream: DurableStream, producer: Producer) -> ProducerState:
    """Raises Problem for an old epoch and for a gap."""
    known = DurableProducer.objects.filter(stream=stream, producer=producer.id).first()
    if known is not None and producer.epoch < known.epoch:
        headers = {protocol.PRODUCER_EPOCH: str(known.epoch)}
        text = _("A newer producer with this id has taken over.")
        raise Problem(403, "old_epoch", text, headers=headers)
    is_first = known is None or producer.epoch > known.epoch
    if known is not None and is_first and producer.sequence:
        raise build_bad_request(_("A new epoch begins with Producer-Seq 0."))
    last = -1 if known is None or is_first else known.sequence
    if producer.sequence <= last:
        return ProducerState(Verdict.REPEATED, last)
    if producer.sequence > last + 1:
        headers = {
            protocol.EXPECTED_SEQ: str(last + 1),
            protocol.RECEIVED_SEQ: str(producer.sequence),
        }
        raise Problem(409, "gap", _("A request of this producer is missing."), headers=headers)
    return ProducerState(Verdict.NEW, producer.sequence)


def remember_producer(stream: DurableStream, producer: Producer) -> bool:
    """Return whether it is a new one. The caller holds the lock of the space."""
    values = {"epoch": producer.epoch, "sequence": producer.sequence}
    rows = DurableProducer.objects.filter(stream=stream, producer=producer.id)
    if rows.update(**values):
        return False
    DurableProducer(stream=stream, producer=producer.id, **values).save(force_insert=True)
    return True
