"""Replies: started once and whole, refused before anything is written, settled at their end."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest

from accounts import keys
from accounts.models import User
from chat import changes, replies
from chat.models import Conversation, Message
from chat.presentation.current_text import read_current_text
from chat.replies import Reply, ReplyRejected, ReplySettings
from streaming import journal, lifecycle
from streaming.events import Finish, StreamText
from streaming.hub import WORKERS_GROUP
from streaming.lifecycle import Ending, notifications
from streaming.models import Kind, State, Stream
from streaming.providers.errors import InvalidKey, ProviderError
from streaming.providers.types import CONTINUE_PROMPT, Turn
from tests.streaming.factories import at_once, claimed, finish, working, write

Status = Conversation.ReplyStatus
Rung = list[tuple[str, dict[str, Any]]]

DEMO = ReplySettings("demo")


def ask(
    user: User,
    text: str = "Why do tides lag the moon?",
    conversation: Conversation | None = None,
    request_id: UUID | None = None,
    chosen: ReplySettings = DEMO,
) -> Reply:
    return replies.start_reply(
        user,
        text=text,
        request_id=request_id or uuid4(),
        reply_settings=chosen,
        conversation=conversation,
    )


def run(reply: Reply) -> Stream:
    """Its stream, claimed by a worker."""
    return claimed(reply.stream, working())


def over(reply: Reply, text: str = "Because of friction.", state: State = State.COMPLETED) -> None:
    """Let a worker write the whole reply and end it."""
    stream = run(reply)
    write(stream, text)
    finish(stream, Ending(state))


def status(conversation: Conversation) -> str:
    return Conversation.objects.get(pk=conversation.pk).status


def answer_of(reply: Reply) -> Message:
    return Message.objects.get(pk=reply.answer.pk)


def branch(conversation: Conversation) -> list[Message]:
    """Its messages from the first to the newest."""
    message, path = Conversation.objects.get(pk=conversation.pk).current_leaf, []
    while message is not None:
        path.append(message)
        message = message.parent
    return path[::-1]


def revision(user: User) -> int:
    return User.objects.get(pk=user.pk).revision


def written() -> tuple[int, int, int]:
    """How many conversations, messages and streams there are."""
    return Conversation.objects.count(), Message.objects.count(), Stream.objects.count()


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> Rung:
    """Every bell that is rung."""
    bells: Rung = []
    for module in (notifications, changes):
        monkeypatch.setattr(module, "notify", lambda group, body: bells.append((group, body)))
    return bells


# Starting


@pytest.mark.django_db
def test_a_reply_begins_as_a_question_an_empty_answer_and_a_queued_stream(owner: User) -> None:
    chosen = ReplySettings("demo", max_tokens=500, system_prompt="Be brief.")
    ask(owner, chosen=chosen)
    conversation = Conversation.objects.get()
    question, answer = branch(conversation)
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
    asked = stream.arguments
    assert (asked["max_tokens"], asked["system_prompt"]) == (500, "Be brief.")


@pytest.mark.django_db
def test_a_further_question_follows_the_newest_answer_and_its_settings_stay(owner: User) -> None:
    first = ask(owner)
    over(first)
    chosen = ReplySettings("demo-fast", system_prompt="Be kind.")
    second = ask(owner, "And the sun?", first.conversation, chosen=chosen)
    conversation = Conversation.objects.get()
    assert [message.content for message in branch(conversation)] == [
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
@pytest.mark.parametrize("further", [False, True])
def test_a_start_that_fails_half_way_has_written_nothing(
    owner: User, monkeypatch: pytest.MonkeyPatch, further: bool
) -> None:
    conversation = ask(owner).conversation if further else None
    before = written(), revision(owner)

    def fail(user_id: int) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(changes, "bump_revision", fail)
    with pytest.raises(ZeroDivisionError):
        ask(owner, "lost", conversation)
    assert (written(), revision(owner)) == before
    assert not Message.objects.filter(content="lost").exists()


@pytest.mark.django_db(transaction=True)
def test_workers_and_pages_hear_of_it_once_it_is_committed(owner: User, rung: Rung) -> None:
    ask(owner)
    assert revision(owner) == 1
    assert rung == [
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
    reply = ask(owner, text)
    assert reply.conversation.title == title
    assert reply.question.content == text


# Once


@pytest.mark.django_db
def test_the_same_request_is_answered_by_the_same_reply(owner: User) -> None:
    request = uuid4()
    first = ask(owner, request_id=request)
    over(first)
    again = ask(owner, "other words", first.conversation, request, ReplySettings("no such model"))
    assert (again.answer, again.question, again.stream) == (
        first.answer,
        first.question,
        first.stream,
    )
    assert written() == (1, 2, 1)


@pytest.mark.django_db
def test_two_people_may_happen_on_the_same_request_id(owner: User, colleague: User) -> None:
    request = uuid4()
    assert ask(owner, request_id=request).conversation.user == owner
    assert ask(colleague, request_id=request).conversation.user == colleague
    assert written() == (2, 4, 2)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("further", [False, True], ids=["new", "further"])
def test_the_same_post_twice_at_once_ten_times_is_one_pair_and_one_stream_each(
    owner: User, further: bool
) -> None:
    conversation = ask(owner).conversation if further else None
    before = written()
    for round in range(10):
        request = uuid4()
        post = partial(ask, owner, f"round {round}", conversation, request)
        got = [reply for reply in at_once(post, post) if isinstance(reply, Reply)]
        assert len(got) == 2
        assert got[0].answer == got[1].answer
        assert Message.objects.filter(content=f"round {round}").count() == 1
    new = 0 if further else 10
    assert written() == (before[0] + new, before[1] + 20, before[2] + 10)
    assert revision(owner) == 10 + further


@pytest.mark.django_db(transaction=True)
def test_eight_at_once_are_no_more_than_one(owner: User) -> None:
    post = partial(ask, owner, request_id=uuid4())
    got = [reply for reply in at_once(*[post] * 8) if isinstance(reply, Reply)]
    assert len({reply.answer.pk for reply in got}) == 1
    assert len(got) == 8
    assert written() == (1, 2, 1)


@pytest.mark.django_db(transaction=True)
def test_different_questions_at_once_in_one_conversation_follow_each_other(owner: User) -> None:
    conversation = ask(owner, "0").conversation
    posts = [partial(ask, owner, str(n), conversation) for n in range(1, 5)]
    assert all(isinstance(reply, Reply) for reply in at_once(*posts))
    messages = branch(conversation)
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
        ("Hi", "", "unknown_model", "Pick one"),
        ("Hi", "gpt-4.1", "no_key", "No OpenAI API key."),
        ("", "demo", "empty", "Write a message first."),
        (" \r\n\t\u3000", "demo", "empty", "Write a message first."),
    ],
)
def test_what_cannot_be_answered_is_refused_before_anything_is_written(
    owner: User, rung: Rung, text: str, model: str, code: str, sentence: str
) -> None:
    with pytest.raises(ReplyRejected) as refused:
        ask(owner, text, chosen=ReplySettings(model))
    assert refused.value.code == code
    assert sentence in refused.value.message
    assert (written(), revision(owner), rung) == ((0, 0, 0), 0, [])


@pytest.mark.django_db
def test_somebody_elses_key_is_of_no_use(owner: User, colleague: User) -> None:
    keys.save(colleague, "openai", "sk-of-the-colleague-0123456789")
    with pytest.raises(ReplyRejected) as refused:
        ask(owner, chosen=ReplySettings("gpt-4.1"))
    assert refused.value.code == "no_key"
    assert ask(colleague, chosen=ReplySettings("gpt-4.1")).answer.model == "gpt-4.1"


# In turn


@pytest.mark.django_db
def test_a_second_message_waits_for_the_reply_before_it(owner: User) -> None:
    first = ask(owner)
    second = ask(owner, "And the sun?", first.conversation)
    elsewhere = ask(owner, "Another conversation")
    worker = working()
    assert [s.pk for s in lifecycle.claim(worker, 9)] == [first.stream.pk, elsewhere.stream.pk]
    stream = Stream.objects.get(pk=first.stream.pk)
    write(stream, "Because of friction.")
    finish(stream)
    assert status(first.conversation) == Status.STREAMING
    (next_one,) = lifecycle.claim(worker, 9)
    assert next_one.pk == second.stream.pk
    turns = replies.prepare(next_one, StreamText()).request.turns
    assert Turn("assistant", "Because of friction.") in turns
    finish(next_one)
    assert status(first.conversation) == Status.COMPLETED


# Made ready


@pytest.mark.django_db
def test_a_reply_is_asked_for_with_the_turns_before_it(owner: User) -> None:
    first = ask(owner, "one")
    over(first, "two")
    failed = ask(owner, "three", first.conversation)
    over(failed, "", State.FAILED)
    stream = run(ask(owner, "four", first.conversation))
    turns = replies.prepare(stream, StreamText()).request.turns
    assert [turn.role for turn in turns] == ["user", "assistant", "user"]
    assert "\n\n".join(turn.text for turn in turns) == "one\n\ntwo\n\nthree\n\nfour"


@pytest.mark.django_db
def test_a_reply_that_is_carried_on_is_asked_to_go_on_where_it_stopped(owner: User) -> None:
    stream = run(ask(owner, "one"))
    write(stream, "so far")
    source = replies.prepare(stream, journal.read_text(stream.pk))
    assert source.request.turns[-2:] == (Turn("assistant", "so far"), Turn("user", CONTINUE_PROMPT))


@pytest.mark.django_db(transaction=True)  # the SDK loads, and nothing stays locked
def test_a_key_that_was_removed_meanwhile_fails_the_reply_with_what_to_do(owner: User) -> None:
    keys.save(owner, "openai", "sk-of-the-owner-0123456789")
    stream = run(ask(owner, chosen=ReplySettings("gpt-4.1")))
    assert replies.prepare(stream, StreamText()).key.reveal() == "sk-of-the-owner-0123456789"
    keys.remove(owner, "openai")
    with pytest.raises(InvalidKey) as invalid:
        replies.prepare(stream, StreamText())
    assert invalid.value.message == "No OpenAI API key."


@pytest.mark.django_db(transaction=True)  # the SDK loads, and nothing stays locked
def test_no_key_is_in_what_is_printed_of_a_source(owner: User) -> None:
    keys.save(owner, "openai", "sk-of-the-owner-0123456789")
    stream = run(ask(owner, chosen=ReplySettings("gpt-4.1")))
    assert "of-the-owner" not in repr(replies.prepare(stream, StreamText()))


# Settled


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
def test_every_ending_shows_in_message_and_conversation(
    owner: User, state: State, after: str, complete: bool
) -> None:
    reply = ask(owner)
    over(reply, "so far", state)
    answer = answer_of(reply)
    assert (answer.content, answer.is_complete) == ("so far", complete)
    assert status(reply.conversation) == after


@pytest.mark.django_db
def test_all_that_is_known_of_a_reply_is_kept_with_it(owner: User) -> None:
    reply = ask(owner)
    stream = run(reply)
    write(stream, (Kind.REASONING, "hm"), "one ", (Kind.SEAM, ""), "two")
    usage = {"input": 11, "output": 7, "reasoning": 3}
    finish(stream, Ending.from_finish(Finish("length", usage)))
    answer = answer_of(reply)
    assert (answer.content, answer.reasoning, answer.seams) == ("one two", "hm", [4])
    assert (answer.input_tokens, answer.output_tokens, answer.reasoning_tokens) == (11, 7, 3)
    assert answer.finish_reason == "length"


@pytest.mark.django_db
def test_a_stop_settles_what_is_there_at_once(owner: User) -> None:
    reply = ask(owner)
    write(run(reply), "so far")
    assert lifecycle.stop(reply.stream.pk)
    assert answer_of(reply).content == "so far"
    assert status(reply.conversation) == Status.COMPLETED


@pytest.mark.django_db
def test_a_conversation_streams_until_its_last_reply_has_ended(owner: User) -> None:
    first = ask(owner)
    second = ask(owner, "And the sun?", first.conversation)
    stream = run(first)
    lifecycle.stop(second.stream.pk)
    assert status(first.conversation) == Status.STREAMING
    finish(stream, Ending(State.FAILED))
    assert status(first.conversation) == Status.ERROR


@pytest.mark.django_db(transaction=True)
def test_two_replies_of_a_conversation_that_end_at_once_leave_none_streaming(owner: User) -> None:
    for _ in range(5):
        first = ask(owner)
        second = ask(owner, "And the sun?", first.conversation)
        stream = run(first)
        end = partial(lifecycle.end, stream.pk, stream.epoch, Ending(State.COMPLETED))
        assert at_once(end, partial(lifecycle.stop, second.stream.pk)) == [True, True]
        assert status(first.conversation) == Status.COMPLETED


@pytest.mark.django_db(transaction=True)
def test_asking_and_ending_at_once_never_deadlock_and_stay_true(owner: User) -> None:
    for round in range(5):
        first = ask(owner)
        stream = run(first)
        write(stream, "one")
        end = partial(lifecycle.end, stream.pk, stream.epoch, Ending(State.COMPLETED))
        asking = partial(ask, owner, f"round {round}", first.conversation)
        ended, second = at_once(end, asking)
        assert ended is True
        assert isinstance(second, Reply)
        assert status(first.conversation) == Status.STREAMING
        lifecycle.stop(second.stream.pk)
        assert status(first.conversation) == Status.COMPLETED


@pytest.mark.django_db
def test_a_reply_whose_message_was_deleted_ends_all_the_same(owner: User) -> None:
    reply = ask(owner)
    stream = run(reply)
    reply.conversation.delete()
    finish(stream)
    assert Stream.objects.get().state == State.COMPLETED


@pytest.mark.django_db(transaction=True)
def test_every_change_counts_up_and_is_rung_with_its_number(owner: User, rung: Rung) -> None:
    reply = ask(owner)
    over(reply)
    over(ask(owner, "And the sun?", reply.conversation))
    numbers = [body["revision"] for group, body in rung if group == f"user.{owner.pk}"]
    assert numbers == [1, 2, 3, 4]
    assert revision(owner) == 4


# Shown and recalled


@pytest.mark.django_db
def test_what_is_shown_of_a_growing_reply_is_what_is_committed(owner: User) -> None:
    reply = ask(owner)
    assert (
        read_current_text(answer_of(reply)).content,
        read_current_text(answer_of(reply)).index,
    ) == ("", -1)
    stream = run(reply)
    write(stream, "so ", "far", (Kind.SEAM, ""))
    shown = read_current_text(answer_of(reply))
    assert (shown.content, shown.seams, shown.index) == ("so far", (6,), 2)
    write(stream, "!")
    finish(stream)
    shown = read_current_text(answer_of(reply))
    assert (shown.content, shown.seams, shown.index) == ("so far!", (6,), 3)


@pytest.mark.django_db
def test_what_was_folded_is_recalled_from_the_message(owner: User) -> None:
    reply = ask(owner)
    stream = run(reply)
    write(stream, (Kind.REASONING, "hm"), "one ", (Kind.SEAM, ""), "two")
    finish(stream)
    held = journal.read_text(stream.pk)
    journal.fold_chunks(stream.pk)
    assert replies.load_text(Stream.objects.get()) == held


@pytest.mark.django_db
def test_the_first_part_of_a_continued_reply_is_recalled_as_it_was(owner: User) -> None:
    reply = ask(owner)
    stream = run(reply)
    write(stream, "one ", (Kind.SEAM, ""), "two")
    finish(stream, Ending(State.STOPPED))
    first = Stream.objects.get(pk=stream.pk)
    held = journal.read_text(stream.pk)
    further = run(replies.continue_reply(owner, answer=answer_of(reply), request_id=uuid4()))
    write(further, " three")
    finish(further)
    assert answer_of(reply).content == "one two three"
    assert replies.load_text(first) == StreamText(held.content, "", (4, 7), held.next_index)


@pytest.mark.django_db
def test_of_a_deleted_message_nothing_is_recalled(owner: User) -> None:
    reply = ask(owner)
    over(reply)
    stream = Stream.objects.get()
    reply.conversation.delete()
    assert replies.load_text(stream) is None


# Going on


@pytest.mark.django_db(transaction=True)
def test_continue_twice_at_once_is_one_new_stream_that_begins_with_the_text_so_far(
    owner: User,
) -> None:
    reply = ask(owner)
    over(reply, "so far", State.STOPPED)
    go_on = partial(replies.continue_reply, owner, answer=answer_of(reply), request_id=uuid4())
    got = [reply for reply in at_once(go_on, go_on) if isinstance(reply, Reply)]
    assert (len(got), Stream.objects.count()) == (2, 2)
    stream = got[0].stream
    assert stream == got[1].stream
    assert stream.continues_id == reply.stream.pk
    assert journal.read_text(stream.pk) == StreamText("so far", "", (6,), 2, ends_in_seam=True)
    assert status(reply.conversation) == Status.STREAMING


@pytest.mark.django_db(transaction=True)
def test_two_who_continue_at_once_by_different_requests_make_one_stream(owner: User) -> None:
    reply = ask(owner)
    over(reply, "so far", State.STOPPED)
    both = [partial(replies.continue_reply, owner, answer=answer_of(reply), request_id=uuid4())] * 2
    both[1] = partial(replies.continue_reply, owner, answer=answer_of(reply), request_id=uuid4())
    got = at_once(*both)
    assert sorted(type(each).__name__ for each in got) == ["Reply", "ReplyRejected"]
    assert Stream.objects.count() == 2


@pytest.mark.django_db
def test_an_error_of_a_provider_is_a_sentence_in_the_stream_and_text_in_the_message(
    owner: User,
) -> None:
    reply = ask(owner)
    stream = run(reply)
    write(stream, "so far")
    finish(stream, Ending.from_error(ProviderError("It broke.")))
    assert answer_of(reply).content == "so far"
    assert Stream.objects.get().error == "It broke."
