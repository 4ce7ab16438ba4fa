"""The list of providers and models."""

import subprocess
import sys

import pytest

from streaming.providers import catalog
from streaming.providers.base import adapter
from streaming.providers.demo import TOKENS_PER_SECOND


def test_every_model_is_found_by_its_id_and_served_by_somebody() -> None:
    assert len({model.id for model in catalog.MODELS}) == len(catalog.MODELS)
    for model in catalog.MODELS:
        assert catalog.model(model.id) is model
        assert model.provider in catalog.PROVIDERS


def test_every_provider_has_models_and_an_adapter() -> None:
    for provider, models in catalog.models_by_provider().items():
        assert models
        assert adapter(provider.id)


def test_the_demo_needs_no_key_and_serves_what_the_catalog_says() -> None:
    demo = catalog.PROVIDERS["demo"]
    assert not demo.needs_key
    assert {m.id for m in catalog.models_by_provider()[demo]} == set(TOKENS_PER_SECOND)


def test_an_unknown_model_is_refused_with_advice() -> None:
    with pytest.raises(catalog.UnknownModel) as caught:
        catalog.model("gpt-2")
    assert caught.value.message == (
        "No provider here serves the model “gpt-2”. Pick one from the list."
    )
    assert len(catalog.UnknownModel("x" * 5000).message) < 200


def test_an_unknown_provider_has_no_adapter() -> None:
    with pytest.raises(LookupError, match="nobody"):
        adapter("nobody")


def test_no_sdk_and_no_django_is_loaded_before_it_is_needed() -> None:
    program = """
import sys
from streaming.providers import base, catalog, errors
base.adapter("demo")
print(*sorted({"openai", "httpx2", "anthropic", "google.genai", "django"} & set(sys.modules)))
"""
    loaded = subprocess.check_output([sys.executable, "-c", program], text=True)
    assert loaded.strip() == ""
