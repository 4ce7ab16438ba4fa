"""Administrators give people keys of the installation, which nobody can read again."""

from __future__ import annotations

import os
from io import StringIO

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.test import Client
from pytest_django import Settings

from accounts.api_keys import keys
from accounts.connections import forms as connection_forms
from accounts.connections.access import find_paying_connection, load_connections, open_access
from accounts.connections.addresses import check_dialled_addresses
from accounts.connections.checking import check_connection
from accounts.connections.models import Connection
from accounts.connections.sealing import open_key
from accounts.models import AuditEvent, User
from accounts.sealing import SealBroken
from streaming.providers import catalog
from tests.accounts.connections import ADD, SECRET, create_connection, post_connection
from tests.accounts.raw_server import send_document, serve
from tools.fake_provider import ErrorAnswer, Fake
from tools.fake_provider.behaviour import Behaviour

OTHER_SECRET = "sk-shared-9876543210-yz12"
LIST = "/admin/accounts/connection/"


@pytest.fixture(autouse=True)
def allow_private_addresses(settings: Settings) -> None:
    settings.PRIVATE_ADDRESSES = "allow"


def get_change_url(connection: Connection) -> str:
    return f"{LIST}{connection.pk}/change/"


# The key that counts


def test_people_are_chosen_by_address(
    as_administrator: Client, owner: User, colleague: User
) -> None:
    text = f" Owner@Holdfast.test\n\n{colleague.pk}\n"
    page = post_connection(as_administrator, people=f"{text}nobody@holdfast.test")
    assert "Nobody has the address nobody@holdfast.test." in page
    post_connection(as_administrator, people=text)
    connection = Connection.objects.get()
    assert set(connection.people.all()) == {owner, colleague}
    change = f"/admin/accounts/connection/{connection.pk}/change/"
    assert "owner@holdfast.test\n" in as_administrator.get(change).content.decode()
    post_connection(as_administrator, change, people=owner.email)
    assert set(connection.people.all()) == {owner}


def test_a_connection_is_for_chosen_people(owner: User, colleague: User, stranger: User) -> None:
    connection = create_connection("openai", owner)
    group = Group.objects.create(name="Lab")
    connection.groups.add(group)
    colleague.groups.add(group)
    for user, expected in ((owner, connection), (colleague, connection), (stranger, None)):
        assert load_connections(user).get("openai") == expected


def test_a_connection_can_be_for_everybody(stranger: User) -> None:
    connection = create_connection()
    assert load_connections(stranger) == {"openai": connection}


def test_a_switched_off_connection_counts_for_nobody(owner: User) -> None:
    create_connection(enabled=False)
    assert load_connections(owner) == {}


def test_a_key_of_ones_own_counts_before_that_of_the_installation(owner: User) -> None:
    connection = create_connection()
    keys.save(owner, "openai", "sk-own-0123456789-ab12")
    access = open_access(owner, "openai")
    assert access
    assert access.key.reveal() == "sk-own-0123456789-ab12"
    assert access.connection is None
    keys.remove(owner, "openai")
    access = open_access(owner, "openai")
    assert access
    assert access.key.reveal() == SECRET
    assert access.connection == connection


def test_the_oldest_of_several_connections_counts(owner: User) -> None:
    first, second = create_connection(), create_connection()
    assert find_paying_connection(owner, "openai") == first
    first.delete()
    assert find_paying_connection(owner, "openai") == second


def test_a_use_is_recorded(owner: User) -> None:
    create_connection()
    open_access(owner, "openai")
    assert Connection.objects.get().last_used_at


def test_a_person_without_access_gets_none(owner: User, colleague: User) -> None:
    create_connection("openai", colleague)
    assert open_access(owner, "openai") is None


def test_a_changed_address_counts_at_the_next_use(owner: User) -> None:
    """Other processes change the row only; this one reads it for each use."""
    lab = create_connection("compatible", address="http://127.0.0.1:9/v1", secret="")
    load_connections(owner)
    Connection.objects.update(address="http://127.0.0.1:8/v1", name="Renamed")
    access = open_access(owner, lab.slug)
    assert access
    assert access.base_url == "http://127.0.0.1:8/v1"
    assert catalog.PROVIDERS[lab.slug].name == "Renamed"
    lab.delete()
    assert open_access(owner, lab.slug) is None


# The key at rest


@pytest.mark.parametrize(
    "fields",
    [{"address": "http://127.0.0.1:8/v1"}, {"slug": "connection-other"}, {"kind": "openai"}],
)
def test_a_key_opens_for_its_own_connection_and_address_only(
    db: None, fields: dict[str, str]
) -> None:
    lab = create_connection("compatible", address="http://127.0.0.1:9/v1")
    assert open_key(lab).reveal() == SECRET
    for name, value in fields.items():
        setattr(lab, name, value)
    with pytest.raises(SealBroken):
        open_key(lab)


def test_a_key_is_sealed_again_by_a_rotation(owner: User, settings: Settings) -> None:
    create_connection()
    create_connection("compatible", address="http://127.0.0.1:9/v1", secret="")
    old, new = settings.MASTER_KEYS, {"newer": os.urandom(32)}
    settings.MASTER_KEYS = new | old
    call_command("rotate_keys", stdout=StringIO())
    settings.MASTER_KEYS = new
    access = open_access(owner, "openai")
    assert access
    assert access.key.reveal() == SECRET


def test_a_connection_whose_master_key_is_gone_asks_the_administrator_for_the_key(
    owner: User, as_administrator: Client, settings: Settings
) -> None:
    connection = create_connection()
    settings.MASTER_KEYS = {"newer": os.urandom(32)}
    assert load_connections(owner) == {}
    assert "icon-no" in as_administrator.get(LIST).content.decode()
    form = {"action": "check_again", "_selected_action": connection.pk}
    shown = as_administrator.post(LIST, form, follow=True).content.decode()
    assert "its key can’t be decrypted any more. Please enter it again." in shown
    post_connection(as_administrator, get_change_url(connection), for_everybody="on")
    assert load_connections(owner) == {"openai": connection}


# The admin


@pytest.mark.usefixtures("commit_for_real")
def test_a_connection_is_added_checked_and_audited(
    as_administrator: Client, administrator: User, fake: Fake
) -> None:
    html = post_connection(
        as_administrator, kind="compatible", address=fake.openai, for_everybody="on"
    )
    assert "Lab: Verified" in html
    connection = Connection.objects.get()
    assert open_key(connection).reveal() == SECRET
    assert connection.last_checked_at
    assert connection.listed
    event = AuditEvent.objects.get(kind="connection.added")
    assert event.actor_id == administrator.pk
    assert event.facts["connection"] == str(connection.pk)
    assert "key" in event.facts["changed"].split()


def test_no_page_shows_a_key(as_administrator: Client, fake: Fake) -> None:
    shown = post_connection(as_administrator, kind="compatible", address=fake.openai)
    url = get_change_url(Connection.objects.get())
    pages = [shown, as_administrator.get(url).content.decode()]
    pages.append(as_administrator.get(LIST).content.decode())
    pages.append(post_connection(as_administrator, url, name="", key=OTHER_SECRET))
    for page in pages:
        assert SECRET not in page
        assert OTHER_SECRET not in page
    assert "…wx89" in pages[1]
    stored = str(list(AuditEvent.objects.values())) + str(list(Connection.objects.values()))
    assert SECRET not in stored


def test_an_empty_key_keeps_the_stored_one(as_administrator: Client) -> None:
    connection = create_connection()
    post_connection(as_administrator, get_change_url(connection), name="Renamed", key="")
    connection.refresh_from_db()
    assert (connection.name, open_key(connection).reveal()) == ("Renamed", SECRET)


def test_a_key_is_not_taken_to_another_address(as_administrator: Client) -> None:
    """Otherwise an administrator could have it sent to a server of their own."""
    lab = create_connection("compatible", address="http://127.0.0.1:9/v1")
    html = post_connection(
        as_administrator,
        get_change_url(lab),
        kind="compatible",
        address="http://127.0.0.1:8/v1",
        key="",
    )
    assert "Enter the key again" in html
    lab.refresh_from_db()
    assert lab.address == "http://127.0.0.1:9/v1"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"key": ""}, "This provider needs one."),
        ({"key": "two words"}, "A key has no spaces"),
        ({"address": "https://example.org"}, "Only a compatible server has an address"),
        ({"kind": "compatible"}, "Enter the address of the server."),
        ({"kind": "compatible", "address": "ftp://example.org"}, "no plain address"),
        ({"kind": "compatible", "address": "http://169.254.169.254/v1"}, "reserved"),
        ({"kind": "compatible", "address": "http://[fe80::1]/v1"}, "reserved"),
        ({"kind": "compatible", "address": "http://metadata.google.internal/v1"}, "reserved"),
        ({"kind": "compatible", "address": "http://8.8.8.8/v1"}, "must begin with https"),
    ],
)
def test_a_wrong_connection_is_refused_with_the_reason(
    as_administrator: Client, fields: dict[str, str], message: str
) -> None:
    assert message in post_connection(as_administrator, **fields)
    assert not Connection.objects.exists()


def test_a_private_address_needs_the_permission_of_the_operator(
    as_administrator: Client, settings: Settings
) -> None:
    settings.PRIVATE_ADDRESSES = "refuse"
    html = post_connection(as_administrator, kind="compatible", address="http://127.0.0.1:9/v1")
    assert "belongs to a private network" in html
    assert not Connection.objects.exists()


def test_an_address_is_judged_again_when_it_is_dialled(
    db: None, fake: Fake, settings: Settings
) -> None:
    """The name may lead elsewhere by then. Nothing is sent."""
    lab = create_connection("compatible", address=fake.openai)
    settings.PRIVATE_ADDRESSES = "refuse"
    assert check_connection(lab) == "down"
    assert fake.lists() == []
    settings.PRIVATE_ADDRESSES = "allow"
    assert check_connection(lab) == "good"
    assert len(fake.lists()) == 1


def test_a_proxy_does_not_get_an_address_that_is_refused(
    db: None, fake: Fake, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would dial every address that its own name server gives."""
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    lab = create_connection("compatible", address=fake.openai)
    with serve(send_document(b'{"data": [{"id": "of the proxy"}]}')) as proxy:
        monkeypatch.setenv("http_proxy", proxy.get_url())
        settings.PRIVATE_ADDRESSES = "refuse"
        assert check_connection(lab) == "down"
        assert proxy.requests == []
        settings.PRIVATE_ADDRESSES = "allow"
        assert check_connection(lab) == "good"
        assert len(proxy.requests) == 1


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1%eth0", "::ffff:169.254.169.254"])
def test_a_name_that_leads_to_a_reserved_address_is_not_dialled(address: str) -> None:
    with pytest.raises(OSError, match="reserved"):
        check_dialled_addresses("https", "llm.example.org", 443, ["93.184.216.34", address])


def test_adding_needs_the_password_again(administrator: User, client: Client) -> None:
    client.force_login(administrator, backend="django.contrib.auth.backends.ModelBackend")
    answer = client.post(ADD, {"name": "Lab", "kind": "openai", "key": SECRET})
    assert "/reauthenticate/" in answer.headers["Location"]
    assert not Connection.objects.exists()


def test_a_removed_connection_is_gone_and_audited(as_administrator: Client, owner: User) -> None:
    connection = create_connection("openai", owner)
    as_administrator.post(f"{LIST}{connection.pk}/delete/", {"post": "yes"})
    assert not Connection.objects.exists()
    assert not Connection.people.through.objects.exists()
    assert AuditEvent.objects.get(kind="connection.removed").facts["connection"] == str(
        connection.pk
    )


def test_configured_servers_are_listed_without_their_secrets(
    as_administrator: Client, settings: Settings
) -> None:
    settings.COMPATIBLE_PROVIDERS = [
        {
            "id": "ollama",
            "name": "Ollama here",
            "url": "http://kelp:password@127.0.0.1:11434/v1",
            "headers": {"X-Key": "canary"},
        }
    ]
    html = as_administrator.get(LIST).content.decode()
    assert "Ollama here" in html
    assert "127.0.0.1:11434" in html
    assert "password@" not in html
    assert "canary" not in html


@pytest.mark.usefixtures("commit_for_real")
def test_a_rejected_key_is_reported(as_administrator: Client, fake: Fake) -> None:
    fake.script(Behaviour(on="models", error=ErrorAnswer(401)))
    html = post_connection(as_administrator, kind="compatible", address=fake.openai)
    assert "Lab: Rejected" in html


# The page of keys


def test_the_page_of_keys_says_which_providers_the_installation_gives(
    as_owner: Client, owner: User, colleague: User
) -> None:
    create_connection("openai", owner, name="Team OpenAI", monthly_dollars=5)
    create_connection("google", colleague, name="Not mine")
    html = as_owner.get("/settings/keys/").content.decode()
    assert "Team OpenAI" in html
    assert "You have used $0.00 of your $5.00 for Team OpenAI this month." in html
    assert "Not mine" not in html
    keys.save(owner, "openai", "sk-own-0123456789-ab12")
    html = as_owner.get("/settings/keys/").content.decode()
    assert "Your own key is used instead while you have one." in html


def test_a_person_can_have_no_own_key_for_a_server_of_the_installation(
    as_owner: Client, owner: User
) -> None:
    lab = create_connection("compatible", address="http://127.0.0.1:9/v1")
    load_connections(owner)
    assert as_owner.post(f"/settings/keys/{lab.slug}/", {"key": SECRET}).status_code == 404


def test_the_account_of_a_person_with_connections_can_be_deleted(owner: User) -> None:
    create_connection("openai", owner)
    owner.delete()
    assert not Connection.people.through.objects.exists()


def test_a_rename_during_a_rotation_keeps_the_new_ciphertext(
    as_administrator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = create_connection("compatible", address="https://192.0.2.1/v1")

    def rotate(address: str) -> None:
        Connection.objects.filter(pk=connection.pk).update(sealed=b"newer", master_key_id="new")

    monkeypatch.setattr(connection_forms, "check_address", rotate)
    url = f"/admin/accounts/connection/{connection.pk}/change/"
    form = {"kind": "compatible", "address": connection.address, "key": "", "name": "Renamed"}
    post_connection(as_administrator, url, **form)
    connection.refresh_from_db()
    assert (connection.name, connection.master_key_id) == ("Renamed", "new")
    assert bytes(connection.sealed) == b"newer"
