"""Messages and responses that are deleted while another request reads or continues them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest

from accounts.models import User
from chat.doors.gateway import removal
from chat.models import Conversation, Message
from chat.replies import (
    Reply,
    ReplyRejected,
    ReplySettings,
    continue_reply,
    edit_question,
    regenerate_answer,
)
from chat.replies.creation import lock_conversation
from streaming import journal, lifecycle
from streaming.lifecycle import STOPPED
from streaming.models import Stream
from tests.doors.gateway.program import Program, create, write_response

pytestmark = pytest.mark.django_db

ITEMS = [{"role": "user", "content": "A"}, {"role": "assistant", "content": "a"}]
CHOSEN = ReplySettings("demo")


def ask_after(program: Program, *items: dict[str, str]) -> tuple[Message, Message]:
    """A question below these messages, and its answer, which was stopped."""
    id = program.ask("B", conversation=create(program, items=list(items)))["id"]
    write_response(id, "Beca", ending=STOPPED)
    answer = Message.objects.select_related("parent", "stream", "conversation").get(content="Beca")
    assert answer.parent is not None
    return answer.parent, answer


@pytest.fixture
def delete_before_lock(monkeypatch: pytest.MonkeyPatch) -> Callable[[Message], None]:
    """`delete_before_lock(message)`: a program deletes it just before the next reply takes the
    lock."""

    def arrange(message: Message) -> None:
        def delete_and_lock(user: User, conversation_id: UUID, request_id: UUID) -> Conversation:
            removal.remove_message(message.conversation, message)
            return lock_conversation(user, conversation_id, request_id)

        for module in ("creation", "continuation"):
            monkeypatch.setattr(f"chat.replies.{module}.lock_conversation", delete_and_lock)

    return arrange


def test_a_question_is_edited_while_the_message_before_it_is_deleted(
    program: Program, owner: User, delete_before_lock: Callable[[Message], None]
) -> None:
    question, answer = ask_after(program, *ITEMS)
    assert question.parent is not None
    delete_before_lock(question.parent)
    edited = edit(owner, question, answer)
    version = Message.objects.select_related("parent").get(pk=edited.question.pk)
    assert version.parent is not None
    assert version.parent.content == "A"


def edit(user: User, question: Message, answer: Message) -> Reply:
    return edit_question(
        user, question=question, text="C", request_id=uuid4(), reply_settings=CHOSEN
    )


def write_again(user: User, question: Message, answer: Message) -> Reply:
    return regenerate_answer(user, answer=answer, request_id=uuid4(), reply_settings=CHOSEN)


def write_on(user: User, question: Message, answer: Message) -> Reply:
    return continue_reply(user, answer=answer, request_id=uuid4())


@pytest.mark.parametrize("write", [edit, write_again, write_on])
def test_a_message_that_is_deleted_first_is_refused_with_a_sentence(
    program: Program,
    owner: User,
    delete_before_lock: Callable[[Message], None],
    write: Callable[[User, Message, Message], Reply],
) -> None:
    question, answer = ask_after(program, *ITEMS)
    delete_before_lock(question if write is edit else answer)
    with pytest.raises(ReplyRejected) as rejected:
        write(owner, question, answer)
    assert rejected.value.code == "deleted"


def test_an_answer_is_not_written_again_without_its_question(
    program: Program, owner: User, delete_before_lock: Callable[[Message], None]
) -> None:
    question, answer = ask_after(program)
    delete_before_lock(question)
    with pytest.raises(ReplyRejected) as rejected:
        write_again(owner, question, answer)
    assert rejected.value.code == "deleted"


def test_a_reply_that_is_continued_while_it_is_deleted_is_stopped_first(
    program: Program, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = program.ask("A", conversation=create(program))["id"]
    write_response(id, "Beca", ending=None)
    continued: list[Stream] = []

    def stop_and_continue(stop: Callable[[int], bool], stream_id: int) -> bool:
        is_stopped = stop(stream_id)
        if is_stopped and len(continued) < 2:
            answer = Message.objects.get(role=Message.Role.ASSISTANT)
            continued.append(continue_reply(owner, answer=answer, request_id=uuid4()).stream)
        return is_stopped

    def delete_ended(delete: Callable[[Any], None], ids: Any) -> None:
        ids = list(ids)
        assert not Stream.objects.unfinished().filter(pk__in=ids).exists()
        delete(ids)

    monkeypatch.setattr(lifecycle, "stop", partial(stop_and_continue, lifecycle.stop))
    monkeypatch.setattr(journal, "delete_streams", partial(delete_ended, journal.delete_streams))
    assert program.send("DELETE", f"/responses/{id}").status_code == 200
    assert len(continued) == 2
    assert not Stream.objects.exists()
    assert not Message.objects.exists()
