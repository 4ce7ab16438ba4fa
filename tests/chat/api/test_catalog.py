"""The API of models and keys: what a program can learn of them."""

from __future__ import annotations

import pytest

from accounts.api_keys import keys
from accounts.models import User
from tests.chat.api.conftest import Program

pytestmark = pytest.mark.django_db
SECRET = "sk-proj-very-secret-0123456789"


def test_models_say_whether_there_is_a_key(program: Program, owner: User) -> None:
    def find(name: str) -> dict[str, object]:
        models = program.get("/models").data["models"]
        return next(model for model in models if model["id"] == name)

    assert find("demo-fast")["hasApiKey"] is True
    assert find("demo-fast")["supported"] is True
    assert find("gpt-4o-mini")["hasApiKey"] is False
    keys.save(owner, "openai", SECRET)
    assert find("gpt-4o-mini")["hasApiKey"] is True
    assert find("gpt-4o-mini")["requiredProvider"] == "openai"


def test_the_support_of_a_model(program: Program, owner: User) -> None:
    assert program.get("/models/support?model=gpt-4o-mini").data == {
        "supported": True,
        "hasApiKey": False,
        "requiredProvider": "openai",
        "error": None,
    }
    keys.save(owner, "openai", SECRET)
    assert program.get("/models/support?model=gpt-4o-mini").data["hasApiKey"] is True
    unknown = program.get("/models/support?model=nothing").data
    assert (unknown["supported"], unknown["requiredProvider"]) == (False, None)
    assert "nothing" in unknown["error"]
    assert program.get("/models/support").data["errors"][0]["field"] == "model"


def test_keys_are_shown_without_the_key(program: Program, stranger: Program, owner: User) -> None:
    keys.save(owner, "openai", SECRET)
    answer = program.get("/keys")
    [key] = answer.data["keys"]
    assert (key["provider"], key["lastFour"]) == ("openai", "6789")
    assert SECRET not in answer.content.decode()
    assert stranger.get("/keys").data == {"keys": []}
