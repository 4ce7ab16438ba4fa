"""Attacks on limits, accounts and keys: the findings of middle rank, and floods of forms."""

from __future__ import annotations

from uuid import uuid4

from tests.chaos.attack_modes.client import Attackers

FORMS_THAT_COUNT = ("/accounts/email/", "/accounts/password/change/", "/accounts/reauthenticate/")
ADMIN_PAGES = ("/admin/", "/admin/accounts/user/", "/admin/chat/conversation/?q=a", "/admin/r/1/1/")


async def fill_limits(attackers: Attackers) -> None:
    """M1: cause as many counters as possible, so that those of guesses might be lost."""
    path = attackers.generator.choice(FORMS_THAT_COUNT)
    form = {"email": f"{uuid4().hex}@evil.test", "password": "x", "oldpassword": "x"}
    await attackers.send_request("count a form", path, session=attackers.account, form=form)


async def lock_out(attackers: Attackers) -> None:
    """M2: guess so often that the owner might be barred."""
    form = {"login": attackers.order.victim, "password": f"wrong-{next(attackers.numbers)}"}
    await attackers.send_request("bar the owner", "/accounts/login/", form=form)


async def sign_in_as_nobody(attackers: Attackers) -> None:
    """M8: ask for accounts that don't exist."""
    name = f"{uuid4().hex}@evil.test"
    form = {"login": name, "password": "kelp-holds-fast-7"}
    await attackers.send_request("an unknown account", "/accounts/login/", form=form)


async def request_links(attackers: Attackers) -> None:
    """M8: ask for links for known and unknown addresses in turns."""
    unknown = f"{uuid4().hex}@evil.test"
    email = attackers.generator.choice((attackers.order.victim, unknown))
    await attackers.send_request(
        "ask for a link", "/accounts/password/reset/", form={"email": email}
    )


async def check_keys(attackers: Attackers) -> None:
    """M10: check guessed keys."""
    path = f"/settings/keys/{attackers.generator.choice(('openai', 'anthropic', 'google'))}/"
    form = {"key": f"sk-guess-{uuid4().hex}"}
    await attackers.send_request("guess a key", path, session=attackers.account, form=form)


async def list_models(attackers: Attackers) -> None:
    path = f"/settings/keys/{attackers.generator.choice(('openai', 'anthropic'))}/check/"
    await attackers.send_request("check a key", path, session=attackers.account, form={})


async def open_admin(attackers: Attackers) -> None:
    """Pages of the admin by an account without the right to them."""
    path = attackers.generator.choice(ADMIN_PAGES)
    await attackers.send_request("a page of the admin", path, session=attackers.account)


async def sign_in_to_admin(attackers: Attackers) -> None:
    form = {"username": attackers.order.victim, "password": f"x{next(attackers.numbers)}"}
    await attackers.send_request("sign in to the admin", "/admin/login/", form=form)


async def follow_forged_links(attackers: Attackers) -> None:
    """Each might create a session."""
    path = f"/accounts/password/reset/key/1-{uuid4().hex}/"
    await attackers.send_request("a forged link", path)


async def change_appearance(attackers: Attackers) -> None:
    form = {"theme": "dark", "next": "/" * attackers.generator.randrange(1, 4_000)}
    await attackers.send_request("change the appearance", "/theme/", form=form)


async def sign_out_and_in(attackers: Attackers) -> None:
    """Sessions that might be stored for nobody."""
    form = {"login": f"{uuid4().hex}@evil.test", "password": "x"}
    await attackers.send_request("sign out", "/accounts/logout/", form={})
    await attackers.send_request(
        "sign in by a forged cookie", "/accounts/login/", form=form, session=uuid4().hex
    )
