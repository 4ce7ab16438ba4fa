"""Replies are created once, rejected before anything is written, and stored when they end."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from pytest_django import Settings

from accounts.api_keys import keys
from accounts.models import User
from chat import changes, replies
from chat.models import Conversation, Message
from chat.presentation.current_text import read_current_text
from chat.replies import Reply, ReplyRejected
from streaming import journal, lifecycle
from streaming.events import Finish, StreamText
from streaming.follow import START_CURSOR, read_page
from streaming.hub import WORKERS_GROUP
from streaming.lifecycle import Ending, notifications
from streaming.models import Kind, State, Stream
from streaming.providers.errors import InvalidKey, ProviderError
from streaming.providers.reasoning_mark import REASONING_MARK, TEXT_MARK
from streaming.providers.types import CONTINUE_PROMPT, Turn
from tests.chat.factories import claim_reply, read_revision, start_reply
from tests.factories import Piece, run_at_once
from tests.streaming.factories import append_chunks, end_stream, register_worker

Status = Conversation.ReplyStatus
Notifications = list[tuple[str, dict[str, Any]]]


def finish_with_state(
    reply: Reply, text: str = "Because of friction.", state: State = State.COMPLETED
) -> None:
    """Write a complete reply as a worker and end it in this state."""
    stream = claim_reply(reply)
    append_chunks(stream, text)
    end_stream(stream, Ending(state))


def read_status(conversation: Conversation) -> str:
    return Conversation.objects.get(pk=conversation.pk).status


def reload_answer(reply: Reply) -> Message:
    return Message.objects.get(pk=reply.answer.pk)


def list_branch(conversation: Conversation) -> list[Message]:
    """The messages of the shown branch, oldest first."""
    message, path = Conversation.objects.get(pk=conversation.pk).current_leaf, []
    while message is not None:
        path.append(message)
        message = message.parent
    return path[::-1]


def count_rows() -> tuple[int, int, int]:
    """The numbers of conversations, messages and streams."""
    return Conversation.objects.count(), Message.objects.count(), Stream.objects.count()


@pytest.fixture
def sent_notifications(monkeypatch: pytest.MonkeyPatch) -> Notifications:
    sent: Notifications = []
    for module in (notifications, changes):
        monkeypatch.setattr(module, "notify", lambda group, body: sent.append((group, body)))
    return sent


# Starting


@pytest.mark.django_db
def test_starting_a_reply_creates_a_question_an_empty_answer_and_a_queued_stream(
    owner: User,
) -> None:
    start_reply(owner, max_tokens=500, system_prompt="Be brief.")
    conversation = Conversation.objects.get()
    question, answer = list_branch(conversation)
    assert (question.role, question.content, question.is_complete) == (
        "user",
        "Why do tides lag the moon?",
        True,
    )
    assert (answer.role, answer.content, answer.is_complete) == ("assistant", "", False)
    assert (answer.model, answer.provider) == ("demo", "demo")
    assert (conversation.status, conversation.current_leaf) == (Status.STREAMING, answer)
    stream = answer.stream
    assert stream is not None
    assert (stream.state, stream.lane, stream.owner) == ("queued", str(conversation.pk), owner)
    arguments = stream.arguments
    assert (arguments["max_tokens"], arguments["system_prompt"]) == (500, "Be brief.")


@pytest.mark.django_db
def test_a_second_question_follows_the_newest_answer_and_its_settings_are_remembered(
    owner: User,
) -> None:
    first = start_reply(owner)
    finish_with_state(first)
    second = start_reply(
        owner, "And the sun?", first.conversation, "demo-fast", system_prompt="Be kind."
    )
    conversation = Conversation.objects.get()
    assert [message.content for message in list_branch(conversation)] == [
        "Why do tides lag the moon?",
        "Because of friction.",
        "And the sun?",
        "",
    ]
    assert second.question.parent_id == first.answer.pk
    assert (conversation.model, conversation.system_prompt) == ("demo-fast", "Be kind.")
    assert conversation.title == "Why do tides lag the moon?"
    assert conversation.updated_at > first.conversation.updated_at


@pytest.mark.django_db
@pytest.mark.parametrize("continues_conversation", [False, True])
def test_a_start_that_fails_halfway_writes_nothing(
    owner: User, monkeypatch: pytest.MonkeyPatch, continues_conversation: bool
) -> None:
    conversation = start_reply(owner).conversation if continues_conversation else None
    before = count_rows(), read_revision(owner)

    def fail(user_id: int) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(changes, "bump_revision", fail)
    with pytest.raises(ZeroDivisionError):
        start_reply(owner, "lost", conversation)
    assert (count_rows(), read_revision(owner)) == before
    assert not Message.objects.filter(content="lost").exists()


@pytest.mark.django_db(transaction=True)
def test_workers_and_pages_are_notified_after_the_commit(
    owner: User, sent_notifications: Notifications
) -> None:
    start_reply(owner)
    assert read_revision(owner) == 1
    assert sent_notifications == [
        (WORKERS_GROUP, {"type": "stream.queued"}),
        (f"user.{owner.pk}", {"revision": 1}),
    ]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Hello", "Hello"),
        ("x" * 200, "x" * 50),
        ("\N{WATER WAVE}" * 60, "\N{WATER WAVE}" * 50),
        ("  one\r\n\ttwo\n\n three  ", "one two three"),
    ],
)
def test_the_title_is_the_first_fifty_characters_in_one_line(
    owner: User, text: str, title: str
) -> None:
    reply = start_reply(owner, text)
    assert reply.conversation.title == title
    assert reply.question.content == text


# Idempotency


@pytest.mark.django_db
def test_the_same_request_gets_the_same_reply(owner: User) -> None:
    request = uuid4()
    first = start_reply(owner, request_id=request)
    finish_with_state(first)
    again = start_reply(
        owner, "other words", first.conversation, "no such model", request_id=request
    )
    assert (again.answer, again.question, again.stream) == (
        first.answer,
        first.question,
        first.stream,
    )
    assert count_rows() == (1, 2, 1)


@pytest.mark.django_db
def test_two_people_can_use_the_same_request_id(owner: User, colleague: User) -> None:
    request = uuid4()
    assert start_reply(owner, request_id=request).conversation.user == owner
    assert start_reply(colleague, request_id=request).conversation.user == colleague
    assert count_rows() == (2, 4, 2)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("continues_conversation", [False, True], ids=["new", "further"])
def test_two_equal_requests_at_once_create_one_pair_and_one_stream(
    owner: User, continues_conversation: bool
) -> None:
    conversation = start_reply(owner).conversation if continues_conversation else None
    before = count_rows()
    for round in range(10):
        request = uuid4()
        start = partial(start_reply, owner, f"round {round}", conversation, request_id=request)
        results = [reply for reply in run_at_once(start, start) if isinstance(reply, Reply)]
        assert len(results) == 2
        assert results[0].answer == results[1].answer
        assert Message.objects.filter(content=f"round {round}").count() == 1
    new = 0 if continues_conversation else 10
    assert count_rows() == (before[0] + new, before[1] + 20, before[2] + 10)
    assert read_revision(owner) == 10 + continues_conversation


@pytest.mark.django_db(transaction=True)
def test_eight_equal_requests_at_once_create_one_reply(owner: User) -> None:
    start = partial(start_reply, owner, request_id=uuid4())
    results = [reply for reply in run_at_once(*[start] * 8) if isinstance(reply, Reply)]
    assert len({reply.answer.pk for reply in results}) == 1
    assert len(results) == 8
    assert count_rows() == (1, 2, 1)


@pytest.mark.django_db(transaction=True)
def test_simultaneous_questions_in_one_conversation_follow_each_other(owner: User) -> None:
    conversation = start_reply(owner, "0").conversation
    posts = [partial(start_reply, owner, str(n), conversation) for n in range(1, 5)]
    assert all(isinstance(reply, Reply) for reply in run_at_once(*posts))
    messages = list_branch(conversation)
    assert sorted(message.content for message in messages[::2]) == list("01234")
    assert {message.role for message in messages[1::2]} == {"assistant"}
    streams = [message.stream_id for message in messages[1::2]]
    assert streams == sorted(streams, key=lambda pk: pk or 0)  # the lane runs them in this order


# Rejected


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("text", "model", "code", "sentence"),
    [
        ("Hi", "no-such-model", "unknown_model", "“no-such-model”"),
        ("Hi", "", "unknown_model", "Choose one"),
        ("Hi", "gpt-4.1", "no_key", "No OpenAI API key."),
        ("", "demo", "empty", "Write a message first."),
        (" \r\n\t\u3000", "demo", "empty", "Write a message first."),
    ],
)
def test_a_message_that_cannot_be_answered_is_rejected_before_anything_is_written(
    owner: User, sent_notifications: Notifications, text: str, model: str, code: str, sentence: str
) -> None:
    with pytest.raises(ReplyRejected) as refused:
        start_reply(owner, text, model=model)
    assert refused.value.code == code
    assert sentence in refused.value.message
    assert (count_rows(), read_revision(owner), sent_notifications) == ((0, 0, 0), 0, [])


@pytest.mark.django_db
def test_a_key_of_another_user_does_not_help(owner: User, colleague: User) -> None:
    keys.save(colleague, "openai", "sk-of-the-colleague-0123456789")
    with pytest.raises(ReplyRejected) as refused:
        start_reply(owner, model="gpt-4.1")
    assert refused.value.code == "no_key"
    assert start_reply(colleague, model="gpt-4.1").answer.model == "gpt-4.1"


# Order


@pytest.mark.django_db
def test_a_second_message_waits_for_the_running_reply(owner: User) -> None:
    first = start_reply(owner)
    second = start_reply(owner, "And the sun?", first.conversation)
    elsewhere = start_reply(owner, "Another conversation")
    worker = register_worker()
    assert [s.pk for s in lifecycle.claim(worker, 9)] == [first.stream.pk, elsewhere.stream.pk]
    stream = Stream.objects.get(pk=first.stream.pk)
    append_chunks(stream, "Because of friction.")
    end_stream(stream)
    assert read_status(first.conversation) == Status.STREAMING
    (next_one,) = lifecycle.claim(worker, 9)
    assert next_one.pk == second.stream.pk
    turns = replies.prepare(next_one, StreamText()).request.turns
    assert Turn("assistant", "Because of friction.") in turns
    end_stream(next_one)
    assert read_status(first.conversation) == Status.COMPLETED


# Requests


@pytest.mark.django_db
def test_a_request_contains_the_turns_before_the_reply(owner: User) -> None:
    first = start_reply(owner, "one")
    finish_with_state(first, "two")
    failed = start_reply(owner, "three", first.conversation)
    finish_with_state(failed, "", State.FAILED)
    stream = claim_reply(start_reply(owner, "four", first.conversation))
    turns = replies.prepare(stream, StreamText()).request.turns
    assert [turn.role for turn in turns] == ["user", "assistant", "user"]
    assert "\n\n".join(turn.text for turn in turns) == "one\n\ntwo\n\nthree\n\nfour"


@pytest.mark.django_db
def test_a_continued_reply_asks_the_model_to_continue_its_text(owner: User) -> None:
    stream = claim_reply(start_reply(owner, "one"))
    append_chunks(stream, "so far")
    source = replies.prepare(stream, journal.read_text(stream.pk))
    assert source.request.turns[-2:] == (Turn("assistant", "so far"), Turn("user", CONTINUE_PROMPT))


@pytest.mark.django_db(transaction=True)  # the SDK loads, and nothing stays locked
def test_a_key_that_was_removed_meanwhile_fails_the_reply_with_a_reason(owner: User) -> None:
    keys.save(owner, "openai", "sk-of-the-owner-0123456789")
    stream = claim_reply(start_reply(owner, model="gpt-4.1"))
    assert replies.prepare(stream, StreamText()).key.reveal() == "sk-of-the-owner-0123456789"
    keys.remove(owner, "openai")
    with pytest.raises(InvalidKey) as invalid:
        replies.prepare(stream, StreamText())
    assert invalid.value.message == "No OpenAI API key."


@pytest.mark.django_db(transaction=True)  # the SDK loads, and nothing stays locked
def test_the_repr_of_a_source_contains_no_key(owner: User) -> None:
    keys.save(owner, "openai", "sk-of-the-owner-0123456789")
    stream = claim_reply(start_reply(owner, model="gpt-4.1"))
    assert "of-the-owner" not in repr(replies.prepare(stream, StreamText()))


# Endings


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("state", "after", "complete"),
    [
        (State.COMPLETED, Status.COMPLETED, True),
        (State.STOPPED, Status.COMPLETED, False),
        (State.FAILED, Status.ERROR, False),
        (State.INTERRUPTED, Status.ERROR, False),
    ],
)
def test_every_ending_is_copied_to_message_and_conversation(
    owner: User, state: State, after: str, complete: bool
) -> None:
    reply = start_reply(owner)
    finish_with_state(reply, "so far", state)
    answer = reload_answer(reply)
    assert (answer.content, answer.is_complete) == ("so far", complete)
    assert read_status(reply.conversation) == after


@pytest.mark.django_db
def test_usage_and_reasoning_are_stored_with_the_message(owner: User) -> None:
    reply = start_reply(owner)
    stream = claim_reply(reply)
    append_chunks(stream, (Kind.REASONING, "hm"), "one ", (Kind.SEAM, ""), "two")
    usage = {"input": 11, "output": 7, "reasoning": 3}
    end_stream(stream, Ending.from_finish(Finish("length", usage)))
    answer = reload_answer(reply)
    assert (answer.content, answer.reasoning, answer.seams) == ("one two", "hm", [4])
    assert (answer.input_tokens, answer.output_tokens, answer.reasoning_tokens) == (11, 7, 3)
    assert answer.finish_reason == "length"


@pytest.mark.django_db
def test_a_stop_stores_the_text_so_far_at_once(owner: User) -> None:
    reply = start_reply(owner)
    append_chunks(claim_reply(reply), "so far")
    assert lifecycle.stop(reply.stream.pk)
    assert reload_answer(reply).content == "so far"
    assert read_status(reply.conversation) == Status.COMPLETED


@pytest.mark.django_db
def test_a_conversation_is_streaming_until_its_last_reply_ends(owner: User) -> None:
    first = start_reply(owner)
    second = start_reply(owner, "And the sun?", first.conversation)
    stream = claim_reply(first)
    lifecycle.stop(second.stream.pk)
    assert read_status(first.conversation) == Status.STREAMING
    end_stream(stream, Ending(State.FAILED))
    assert read_status(first.conversation) == Status.ERROR


@pytest.mark.django_db(transaction=True)
def test_two_replies_that_end_at_once_leave_the_conversation_idle(owner: User) -> None:
    for _ in range(5):
        first = start_reply(owner)
        second = start_reply(owner, "And the sun?", first.conversation)
        stream = claim_reply(first)
        end = partial(lifecycle.end, stream.pk, stream.epoch, Ending(State.COMPLETED))
        assert run_at_once(end, partial(lifecycle.stop, second.stream.pk)) == [True, True]
        assert read_status(first.conversation) == Status.COMPLETED


@pytest.mark.django_db(transaction=True)
def test_starting_and_ending_at_once_never_deadlock(owner: User) -> None:
    for round in range(5):
        first = start_reply(owner)
        stream = claim_reply(first)
        append_chunks(stream, "one")
        end = partial(lifecycle.end, stream.pk, stream.epoch, Ending(State.COMPLETED))
        asking = partial(start_reply, owner, f"round {round}", first.conversation)
        ended, second = run_at_once(end, asking)
        assert ended is True
        assert isinstance(second, Reply)
        assert read_status(first.conversation) == Status.STREAMING
        lifecycle.stop(second.stream.pk)
        assert read_status(first.conversation) == Status.COMPLETED


@pytest.mark.django_db
def test_a_reply_whose_message_was_deleted_still_ends(owner: User) -> None:
    reply = start_reply(owner)
    stream = claim_reply(reply)
    reply.conversation.delete()
    end_stream(stream)
    assert Stream.objects.get().state == State.COMPLETED


@pytest.mark.django_db(transaction=True)
def test_every_change_increases_the_revision_and_notifies_pages_of_it(
    owner: User, sent_notifications: Notifications
) -> None:
    reply = start_reply(owner)
    finish_with_state(reply)
    finish_with_state(start_reply(owner, "And the sun?", reply.conversation))
    numbers = [
        body["revision"] for group, body in sent_notifications if group == f"user.{owner.pk}"
    ]
    assert numbers == [1, 2, 3, 4]
    assert read_revision(owner) == 4


# Text of running and folded streams


@pytest.mark.django_db
def test_a_page_shows_the_committed_text_of_a_running_reply(owner: User) -> None:
    reply = start_reply(owner)
    assert (
        read_current_text(reload_answer(reply)).content,
        read_current_text(reload_answer(reply)).index,
    ) == ("", -1)
    stream = claim_reply(reply)
    append_chunks(stream, "so ", "far", (Kind.SEAM, ""))
    shown = read_current_text(reload_answer(reply))
    assert (shown.content, shown.seams, shown.index) == ("so far", (6,), 2)
    append_chunks(stream, "!")
    end_stream(stream)
    shown = read_current_text(reload_answer(reply))
    assert (shown.content, shown.seams, shown.index) == ("so far!", (6,), 3)


@pytest.mark.django_db
def test_the_text_of_a_folded_stream_is_loaded_from_its_message(owner: User) -> None:
    reply = start_reply(owner)
    stream = claim_reply(reply)
    append_chunks(stream, (Kind.REASONING, "hm"), "one ", (Kind.SEAM, ""), "two")
    end_stream(stream)
    held = journal.read_text(stream.pk)
    journal.fold_chunks(stream.pk)
    assert replies.load_text(Stream.objects.get()) == held


@pytest.mark.django_db
def test_the_first_stream_of_a_continued_reply_keeps_its_own_text(owner: User) -> None:
    reply = start_reply(owner)
    stream = claim_reply(reply)
    append_chunks(stream, "one ", (Kind.SEAM, ""), "two")
    end_stream(stream, Ending(State.STOPPED))
    first = Stream.objects.get(pk=stream.pk)
    held = journal.read_text(stream.pk)
    further_stream = claim_reply(
        replies.continue_reply(owner, answer=reload_answer(reply), request_id=uuid4())
    )
    append_chunks(further_stream, " three")
    end_stream(further_stream)
    assert reload_answer(reply).content == "one two three"
    assert replies.load_text(first) == StreamText(held.content, "", (4, 7), held.next_index)


@pytest.mark.django_db
@pytest.mark.parametrize("continued_first", [True, False])
def test_each_stream_of_a_continued_reply_is_built_again(
    owner: User, settings: Settings, continued_first: bool
) -> None:
    """The first one, too, whose text is the beginning of the message's."""
    settings.STREAMING_FOLD_AFTER_SECONDS = -1
    reply = start_reply(owner)
    stream = claim_reply(reply)
    append_chunks(stream, (Kind.REASONING, "hm"), "one ", (Kind.SEAM, ""), "two")
    end_stream(stream, Ending(State.STOPPED))
    before = read_page(stream, START_CURSOR)
    if not continued_first:
        lifecycle.fold_ended_streams()
    more = replies.continue_reply(owner, answer=reload_answer(reply), request_id=uuid4())
    further_stream = claim_reply(more)
    append_chunks(further_stream, (Kind.REASONING, "so"), " and", " three")
    end_stream(further_stream)
    before_further = read_page(further_stream, START_CURSOR)
    lifecycle.fold_ended_streams()
    assert not Stream.objects.filter(folded_at=None).exists()
    assert read_page(stream, START_CURSOR) == before
    assert read_page(further_stream, START_CURSOR) == before_further


@pytest.mark.django_db
@pytest.mark.parametrize(
    "pieces",
    [
        ("Hm, the moon.", REASONING_MARK, "High."),
        ((Kind.REASONING, "High."), "High.", TEXT_MARK),
        ("Hm.", REASONING_MARK, "High, ", (Kind.SEAM, ""), "Hm.", REASONING_MARK, "and low."),
    ],
)
def test_a_stream_with_marks_of_reasoning_is_folded(
    owner: User, settings: Settings, pieces: tuple[Piece, ...]
) -> None:
    settings.STREAMING_FOLD_AFTER_SECONDS = -1
    reply = start_reply(owner)
    stream = claim_reply(reply)
    append_chunks(stream, *pieces)
    end_stream(stream)
    before = read_page(stream, START_CURSOR)
    lifecycle.fold_ended_streams()
    stream.refresh_from_db()
    assert stream.folded_at
    assert read_page(stream, START_CURSOR) == before, "with the marks"
    stored = replies.load_text(stream)
    answer = reload_answer(reply)
    assert stored
    assert (stored.content, stored.reasoning) == (answer.content, answer.reasoning)


@pytest.mark.django_db
def test_a_marked_stream_of_a_continued_reply_is_folded(owner: User, settings: Settings) -> None:
    settings.STREAMING_FOLD_AFTER_SECONDS = -1
    reply = start_reply(owner)
    stream = claim_reply(reply)
    append_chunks(stream, "Hm.", REASONING_MARK, "High, ")
    end_stream(stream, Ending(State.STOPPED))
    more = replies.continue_reply(owner, answer=reload_answer(reply), request_id=uuid4())
    further_stream = claim_reply(more)
    append_chunks(further_stream, "Hm?", REASONING_MARK, "and low.")
    end_stream(further_stream)
    streams = Stream.objects.order_by("pk")
    before = [read_page(each, START_CURSOR) for each in streams]
    lifecycle.fold_ended_streams()
    assert not Stream.objects.filter(folded_at=None).exists()
    assert [read_page(each, START_CURSOR) for each in streams] == before
    assert reload_answer(reply).content == "High, and low."


@pytest.mark.django_db
def test_a_deleted_message_has_no_text_to_load(owner: User) -> None:
    reply = start_reply(owner)
    finish_with_state(reply)
    stream = Stream.objects.get()
    reply.conversation.delete()
    assert replies.load_text(stream) is None


# Continuations


@pytest.mark.django_db(transaction=True)
def test_two_equal_continuations_at_once_create_one_stream_with_the_text_so_far(
    owner: User,
) -> None:
    reply = start_reply(owner)
    finish_with_state(reply, "so far", State.STOPPED)
    continue_it = partial(
        replies.continue_reply, owner, answer=reload_answer(reply), request_id=uuid4()
    )
    results = [reply for reply in run_at_once(continue_it, continue_it) if isinstance(reply, Reply)]
    assert (len(results), Stream.objects.count()) == (2, 2)
    stream = results[0].stream
    assert stream == results[1].stream
    assert stream.continues_id == reply.stream.pk
    assert journal.read_text(stream.pk) == StreamText("so far", "", (6,), 2, ends_in_seam=True)
    assert read_status(reply.conversation) == Status.STREAMING


@pytest.mark.django_db(transaction=True)
def test_two_different_continuations_at_once_create_one_stream(owner: User) -> None:
    reply = start_reply(owner)
    finish_with_state(reply, "so far", State.STOPPED)
    both = [
        partial(replies.continue_reply, owner, answer=reload_answer(reply), request_id=uuid4())
    ] * 2
    both[1] = partial(
        replies.continue_reply, owner, answer=reload_answer(reply), request_id=uuid4()
    )
    results = run_at_once(*both)
    assert sorted(type(each).__name__ for each in results) == ["Reply", "ReplyRejected"]
    assert Stream.objects.count() == 2


@pytest.mark.django_db
def test_after_a_provider_error_the_stream_has_a_sentence_and_the_message_its_text(
    owner: User,
) -> None:
    reply = start_reply(owner)
    stream = claim_reply(reply)
    append_chunks(stream, "so far")
    end_stream(stream, Ending.from_error(ProviderError("It broke.")))
    assert reload_answer(reply).content == "so far"
    assert Stream.objects.get().error == "It broke."
