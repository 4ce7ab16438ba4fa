"""The list of providers and models."""

import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from streaming.providers import catalog
from streaming.providers.catalog import Model, compatible, naming
from streaming.providers.demo.adapter import TOKENS_PER_SECOND
from streaming.providers.registry import get_adapter

SKETCHED = [
    "gpt-4o-mini",
    "gpt-4o",
    "gpt-4.1",
    "gpt-4.1-mini",
    "gpt-4.1-nano",
    "gemini-2.0-flash",
    "gemini-2.0-flash-lite",
    "gemini-2.5-flash",
    "gemini-2.5-flash-thinking",
    "gemini-2.5-pro",
]
LATE_IN_2026 = date(2026, 11, 22)


def test_every_model_is_found_by_its_id_and_has_a_provider() -> None:
    assert len({model.id for model in catalog.MODELS}) == len(catalog.MODELS)
    for model in catalog.MODELS:
        assert catalog.get_model(model.id) is model
        assert model.provider in catalog.PROVIDERS


def test_every_provider_has_models_and_an_adapter() -> None:
    for provider, models in catalog.group_by_provider(catalog.all_models()).items():
        assert models or provider.is_connection  # the models of a connection are in its list
        assert get_adapter(provider.id)


def test_the_demo_needs_no_key_and_serves_what_the_catalog_says() -> None:
    demo = catalog.PROVIDERS["demo"]
    assert not demo.needs_key
    served = catalog.group_by_provider(catalog.all_models())[demo]
    assert {m.id for m in served} == set(TOKENS_PER_SECOND)


@pytest.mark.parametrize("model_id", SKETCHED)
def test_the_models_of_the_first_version_are_known(model_id: str) -> None:
    assert catalog.get_model(model_id).provider == model_id[:3].replace("gpt", "openai").replace(
        "gem", "google"
    )


def test_a_shut_down_model_is_retired_and_one_with_a_future_date_is_deprecated() -> None:
    stands = {id: catalog.get_model(id).availability_on(LATE_IN_2026) for id in SKETCHED}
    retired = {id for id, availability in stands.items() if availability == "retired"}
    assert retired == {
        "gpt-4.1-nano",
        "gemini-2.0-flash",
        "gemini-2.0-flash-lite",
        "gemini-2.5-flash-thinking",
    }
    assert {stands[id] for id in set(SKETCHED) - retired} == {"deprecated"}
    assert catalog.get_model("gpt-6.2-sol").availability_on(LATE_IN_2026) == "active"


def test_a_model_is_retired_from_the_day_of_its_shutdown_on() -> None:
    model = catalog.get_model("gpt-4o")
    assert model.availability_on(date(2027, 1, 13)) == "deprecated"
    assert model.availability_on(date(2027, 1, 14)) == "retired"


def test_a_retired_model_has_an_active_successor() -> None:
    for model in catalog.MODELS:
        going = model.availability_on(date(2030, 1, 1)) == "retired"
        assert going == bool(model.successor)
        if going:
            successor = catalog.get_model(model.successor)
            assert successor.provider == model.provider
            assert successor.availability_on(date(2030, 1, 1)) == "active"


def test_retired_models_are_known_and_not_shown() -> None:
    offered = catalog.group_by_provider(catalog.all_models())
    offered_ids = {model.id for models in offered.values() for model in models}
    assert catalog.get_model("gemini-2.0-flash").availability == "retired"
    assert "gemini-2.0-flash" not in offered_ids
    assert all(catalog.get_model(model_id).availability != "retired" for model_id in offered_ids)


TESTS = Path(__file__).parents[1]
RUNNING_SITES = ("chaos", "clients", "e2e")
"""Tests of processes, which have the date of the day."""


def test_no_test_asks_a_running_site_for_a_model_that_ends() -> None:
    """It would fail from the day on that the model ends."""
    ending = {model.id for model in catalog.MODELS if model.shutdown or model.retired}
    named = {
        (file.name, name)
        for folder in RUNNING_SITES
        for file in (TESTS / folder).rglob("*.py")
        for name in re.findall(r"[\w.-]+", file.read_text())
    }
    assert {place for place in named if place[1] in ending} == set()


def test_no_reasoning_model_takes_a_temperature() -> None:
    """A temperature is gone from Anthropic's API and from OpenAI's reasoning models."""
    takers = {model.id for model in catalog.MODELS if model.takes_temperature}
    assert not any(id.startswith(("claude", "gpt-5", "gpt-6", "o", "gemini-4")) for id in takers)
    assert {"gpt-4o", "gpt-4.1-mini", "gemini-2.5-flash"} <= takers


def test_efforts_are_offered_for_models_that_take_them() -> None:
    assert catalog.get_model("gpt-6.2-sol").efforts
    assert "none" in catalog.get_model("gpt-5.5").efforts
    assert not catalog.get_model("gpt-4o").efforts
    assert not catalog.get_model("demo").efforts


def test_a_model_without_data_has_the_fewest_features() -> None:
    model = Model("new", "openai", "New")
    assert (model.takes_temperature, model.efforts, model.price) == (False, (), None)
    assert (model.context_window, model.max_output) == (None, None)


@pytest.mark.parametrize(
    "model_id",
    [
        *("gpt-6.2-sol", "claude-opus-5-5", "gemini-3.8-flash", "llama3.3:70b-instruct", "o3"),
        *("qwen3", "NousResearch/Meta-Llama-3-8B-Instruct", "nousresearch/hermes-4-405b"),
        *("tongyi-deepresearch-30b-a3b", "perplexity/sonar-deep-research", "Coveo-7b"),
        *("image-lab/kelp-70b", "Olive-13b", "lively-8b"),
    ],
)
def test_chat_models_are_recognised(model_id: str) -> None:
    assert naming.is_for_chat(model_id)


@pytest.mark.parametrize(
    "model_id",
    [
        "text-embedding-3-large",
        "whisper-1",
        "tts-1-hd",
        "gpt-4o-audio-preview",
        "gpt-realtime-2",
        "dall-e-3",
        "omni-moderation-latest",
        "gpt-4o-transcribe",
        "gpt-image-2",
        "gemini-2.5-flash-image",
        "veo-3",
        "lyria-3.5",
        "gemini-3.8-live",
        "gpt-live-1",
        "gpt-3.5-turbo-instruct",
        "o3-deep-research",
        "deep-research-pro-preview",
        "davinci-002",
        "openai/whisper-large-v3",
        "nomic-embed-text",
        "textembedding-gecko",
        "BAAI/bge-reranker-v2-m3",
        "gpt-4o-mini-tts",
        "gpt-4o-search-preview",
        "gpt-4o-mini-realtime-preview",
    ],
)
def test_models_that_do_not_chat_are_left_out(model_id: str) -> None:
    assert not naming.is_for_chat(model_id)


def test_an_unknown_name_is_left_out_only_if_it_is_certainly_of_another_kind() -> None:
    shown = [
        *("gpt-4o-search-preview", "gemini-3.8-live", "davinci-002", "embedded-chat", "veolia-7b"),
        *(
            "llava-image-chat",
            "computer-use-7b",
            "whisperer-7b",
            "tts-writer/kelp",
            "kelp-audio-7b",
        ),
    ]
    left_out = [
        *("text-embedding-3-large", "mxbai-embed-large", "snowflake-arctic-embed2", "bge-reranker"),
        *("openai/whisper-large-v3", "gpt-4o-mini-tts", "tts-1-hd", "gpt-4o-transcribe"),
        *("gpt-image-1", "dall-e-3", "imagen-4.0", "stable-diffusion-xl", "omni-moderation-latest"),
        *("jina-embeddings-v3", "Qwen/Qwen3-Embedding-8B", "Qwen/Qwen3-Reranker-4B", "nomic_embed"),
    ]
    assert [name for name in shown + left_out if naming.may_be_for_chat(name)] == shown


def test_an_unknown_model_is_refused_with_advice() -> None:
    with pytest.raises(catalog.UnknownModel) as caught:
        catalog.get_model("gpt-2")
    assert caught.value.message == (
        "No provider here serves the model “gpt-2”. Choose one from the list."
    )
    assert len(catalog.UnknownModel("x" * 5000).message) < 200


def test_an_unknown_provider_has_no_adapter() -> None:
    with pytest.raises(LookupError, match="nobody"):
        get_adapter("nobody")


def test_sdks_and_django_are_loaded_only_when_needed() -> None:
    program = """
import sys
from streaming.providers import catalog, errors, registry
registry.get_adapter("demo")
heavy = {"openai", "httpx2", "anthropic", "google.genai", "django", "genai_prices"}
print(*sorted(heavy & set(sys.modules)))
"""
    loaded = subprocess.check_output([sys.executable, "-c", program], text=True)
    assert loaded.strip() == ""


def test_a_row_of_configuration_is_a_provider_with_models() -> None:
    provider, models = compatible.parse_provider_config(
        {"id": "ollama", "name": "Ollama", "url": "http://127.0.0.1:11434/v1", "models": ["qwen3"]}
    )
    assert (provider.name, provider.needs_key) == ("Ollama", False)
    assert [(m.id, m.provider, m.takes_temperature) for m in models] == [("qwen3", "ollama", True)]
    assert get_adapter(provider.id, base_url=provider.base_url)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("ollama", "needs an “id”"),
        ({"url": "http://127.0.0.1"}, "needs an “id”"),
        ({"id": "O llama", "url": "http://127.0.0.1"}, "needs an “id”"),
        ({"id": "openai", "url": "http://127.0.0.1"}, "already a provider"),
        ({"id": "ollama"}, "needs a “url”"),
        ({"id": "ollama", "url": "file:///etc/passwd"}, "needs a “url”"),
        ({"id": "ollama", "url": "http://127.0.0.1", "models": "qwen3"}, "list of names"),
    ],
)
def test_an_invalid_row_is_refused_with_a_reason(row: object, problem: str) -> None:
    with pytest.raises(compatible.InvalidProviderConfig, match=problem):
        compatible.parse_provider_config(row)
