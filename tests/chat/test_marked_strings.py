"""Every text that people see can be translated: it went through gettext."""

from pathlib import Path
from uuid import uuid4

import pytest
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from django.contrib.messages import get_messages
from django.template.loader import render_to_string
from django.test import Client, RequestFactory
from django.utils import timezone, translation
from pytest_django import Settings

from accounts.api_keys import keys
from accounts.models import ApiKey, User
from streaming import lifecycle
from streaming.events import Finish
from streaming.lifecycle import Ending
from streaming.providers import catalog
from streaming.providers.errors import Interrupted, InvalidKey
from tests.chat.factories import (
    HTMX,
    build_message_form,
    finish_reply,
    get_path,
    start_reply,
    write_reply,
)
from tests.chat.marked_strings import (
    LANGUAGE,
    find_unmarked,
    find_unmarked_in_html,
    find_unmarked_in_python,
    find_unmarked_in_script,
    find_unmarked_in_template,
)
from tests.factories import create_signed_in_client

ROOT = Path(__file__).parents[2]
TEMPLATES = ROOT / "templates"
MAILS = sorted(
    str(path.relative_to(TEMPLATES)) for path in (TEMPLATES / "account/email").glob("*_*.txt")
)
NAMES = ["Holdfast", "Source Serif", "UTC"]
QUESTION = "Γιατί αργεί η παλίρροια;"


def names() -> list[str]:
    """Proper names, and those that providers give."""
    models = [text for model in catalog.all_models() for text in (model.id, model.label)]
    efforts = [effort.capitalize() for model in catalog.all_models() for effort in model.efforts]
    providers = [provider.name for provider in catalog.PROVIDERS.values()]
    return [*NAMES, *models, *efforts, *providers]


def assert_marked(html: str, *more_names: str) -> None:
    assert "⟦" in html
    assert find_unmarked_in_html(html, [*names(), *more_names]) == []


def test_templates_have_no_words_outside_of_translations() -> None:
    files = [*TEMPLATES.rglob("*.html"), *TEMPLATES.rglob("*.txt")]
    assert len(files) > 90
    found = {str(file): find_unmarked_in_template(file.read_text(), NAMES) for file in files}
    assert {file: words for file, words in found.items() if words} == {}


def test_scripts_have_no_sentences_outside_of_translations() -> None:
    files = [*(ROOT / "static/js").rglob("*.js")]
    assert len(files) > 20
    found = {str(file): list(find_unmarked_in_script(file.read_text())) for file in files}
    assert {file: words for file, words in found.items() if words} == {}


def test_forms_errors_notices_and_models_have_no_words_outside_of_translations() -> None:
    files = [file for app in ("accounts", "chat", "config") for file in (ROOT / app).rglob("*.py")]
    files = [file for file in files if "migrations" not in file.parts]
    found = {str(file): list(find_unmarked_in_python(file.read_text())) for file in files}
    assert {file: words for file, words in found.items() if words} == {}


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/nothing/",
        "/accounts/login/",
        "/accounts/signup/",
        "/accounts/inactive/",
        "/accounts/confirm-email/",
        "/accounts/confirm-email/nothing/",
        "/accounts/password/reset/",
        "/accounts/password/reset/done/",
        "/accounts/password/reset/key/1-nothing/",
        "/accounts/password/reset/key/done/",
    ],
)
def test_a_visitors_page_is_marked(visitor: Client, marked: None, path: str) -> None:
    assert_marked(visitor.get(path, follow=True).content.decode())


def test_rejected_forms_of_visitors_are_marked(
    owner: User, settings: Settings, marked: None
) -> None:
    settings.SIGNUP = "open"
    wrong = {
        "login": owner.email,
        "password": "x",
        "email": "x",
        "password1": "1",
        "password2": "2",
    }
    for path in ("/accounts/login/", "/accounts/signup/", "/accounts/password/reset/"):
        answer = Client().post(path, wrong)
        assert answer.status_code == 200
        assert_marked(answer.content.decode())
    settings.SIGNUP = "closed"
    assert_marked(Client().get("/accounts/signup/").content.decode())
    assert_marked(
        Client().post("/c/", build_message_form(text=QUESTION), follow=True).content.decode()
    )
    expired = Client(enforce_csrf_checks=True).post("/accounts/login/", wrong)
    assert expired.status_code == 403
    assert_marked(expired.content.decode())


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/accounts/logout/",
        "/accounts/email/",
        "/accounts/password/change/",
        "/accounts/reauthenticate/",
        "/settings/keys/",
        "/settings/replies/",
    ],
)
def test_a_page_of_a_signed_in_person_is_marked(
    owner: User, as_owner: Client, password: str, marked: None, path: str
) -> None:
    as_owner.post("/accounts/reauthenticate/", {"password": password})
    EmailAddress.objects.create(user=owner, email="second@holdfast.test")
    key = keys.save(owner, "openai", "sk-0123456789")
    ApiKey.objects.filter(pk=key.pk).update(last_checked_at=timezone.now(), check_result="good")
    keys.save(owner, "google", "sk-0123456789")
    ApiKey.objects.filter(provider="google").update(master_key_id="γ")
    answer = as_owner.get(path)
    assert answer.status_code == 200
    assert_marked(answer.content.decode())


def test_notices_of_settings_are_marked(as_owner: Client, marked: None) -> None:
    for path, form in [
        ("/settings/keys/openai/", {"key": "sk-0123456789"}),
        ("/settings/keys/openai/check/", {}),
        ("/settings/keys/openai/remove/", {}),
        ("/settings/replies/", {"background_replies": "on"}),
        ("/accounts/email/", {"email": "new@holdfast.test"}),
        ("/settings/keys/openai/", {"key": "κλειδί"}),
    ]:
        answer = as_owner.post(path, form, follow=True)
        assert_marked(answer.content.decode())
        assert answer.status_code == 422 or list(get_messages(answer.wsgi_request))


def test_the_list_of_models_is_cached_for_each_language(as_owner: Client, marked: None) -> None:
    for language, mark in (("en-gb", ""), (LANGUAGE, "⟧"), ("en-gb", "")):
        with translation.override(language):
            assert f"(No API key){mark}</option>" in as_owner.get("/").content.decode()


@pytest.mark.parametrize("ending", ["none", "running", "ended", "stopped", "failed", "interrupted"])
def test_a_conversation_is_marked(owner: User, as_owner: Client, marked: None, ending: str) -> None:
    reply = start_reply(owner, QUESTION)
    endings = {
        "ended": Ending.from_finish(Finish("stop")),
        "stopped": lifecycle.STOPPED,
        "failed": Ending.from_error(InvalidKey(provider="OpenAI")),
        "interrupted": Ending.from_error(Interrupted(provider="OpenAI")),
    }
    if ending == "running":
        write_reply(reply, "Η τριβή.", reasoning="Σκέψη.", seam=True)
    elif ending in endings:
        finish_reply(reply, "Η τριβή.", endings[ending])
    reply.stream.refresh_from_db()
    stream = reply.stream
    data = [text for text in (stream.error_class, stream.state, "stop") if text]
    for path in (get_path(reply), "/", f"{get_path(reply)}menu/", f"/m/{reply.question.pk}/edit/"):
        for headers in ({}, HTMX):
            answer = as_owner.get(path, headers=headers)
            assert answer.status_code == 200
            assert_marked(answer.content.decode(), *data)


def test_rejections_of_messages_are_marked(
    owner: User, as_owner: Client, stranger: User, marked: None
) -> None:
    reply = start_reply(owner, QUESTION)
    finish_reply(reply, "Η τριβή.")
    start_reply(owner, QUESTION, reply.conversation)
    old_leaf = str(reply.answer.pk)
    for form in [
        build_message_form(text=""),
        build_message_form(text=QUESTION, parent=old_leaf, seen=old_leaf),
        build_message_form(text=QUESTION, model="gpt-4.1"),
        build_message_form(text=QUESTION, temperature="9", max_tokens="-1", request_id="x"),
    ]:
        answer = as_owner.post(f"{get_path(reply)}messages/", form)
        assert answer.status_code >= 400
        assert_marked(answer.content.decode(), "stop")
    assert_marked(create_signed_in_client(stranger).get(get_path(reply)).content.decode())
    as_owner.post(f"{get_path(reply)}deletion/")
    assert_marked(as_owner.get("/").content.decode())
    other = as_owner.post("/c/", build_message_form(text=QUESTION, account=str(uuid4())))
    assert other.status_code == 409
    assert_marked(other.content.decode())


@pytest.mark.parametrize(
    "template",
    [
        *(f"{status}.html" for status in (400, 403, 404, 429, 500, 503)),
        "account/password_set.html",
        "account/verification_sent.html",
        "account/verified_email_required.html",
    ],
)
def test_a_page_of_an_error_or_of_a_mail_is_marked(
    db: None, rf: RequestFactory, marked: None, template: str
) -> None:
    assert_marked(render_to_string(template, {"posted": True, "request": rf.get("/")}))


def test_the_page_that_confirms_an_address_is_marked(owner: User, marked: None) -> None:
    address = EmailAddress.objects.create(user=owner, email="second@holdfast.test")
    link = f"/accounts/confirm-email/{EmailConfirmationHMAC(address).key}/"
    assert_marked(Client().get(link).content.decode())


@pytest.mark.parametrize("template", MAILS)
def test_a_mail_is_marked(marked: None, template: str) -> None:
    context = {"user_agent": "Μπράουζερ", "timestamp": timezone.now(), "count": 2}
    text = render_to_string(template, context)
    assert "⟦" in text
    assert find_unmarked(text, NAMES) == []


def test_words_without_marks_are_found() -> None:
    assert find_unmarked_in_html("<p>⟦Sign <b>in</b>⟧</p><h1>Sign up</h1>") == ["Sign up"]
    assert find_unmarked_in_html('<input placeholder="Ask anything">') == ["Ask anything"]
    assert find_unmarked_in_html("<p>⟦Key for ⟦OpenAI⟧ saved⟧ twice</p>") == ["twice"]
    assert find_unmarked_in_template('{% translate "Send" %}<b>Stop</b>') == ["Stop"]
    assert find_unmarked_in_template('{% include "x.html" with label="Retry" %}')
    assert list(find_unmarked_in_script('a(gettext("Send")); b("Not sent."); // "Not this."'))
    assert list(find_unmarked_in_python('ValidationError("Not this."); _("But this.")'))
    assert list(find_unmarked_in_python('CharField(label=f"{name} key", max_length=3)'))
