"""Which providers and models there are, and what each model takes: the one list of both."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Provider:
    """Someone who serves models. Without `needs_key` it works for everybody."""

    id: str
    name: str
    needs_key: bool


@dataclass(frozen=True, slots=True)
class Model:
    """A model and its limits in tokens; None is unknown and never guessed."""

    id: str
    provider: str
    label: str
    takes_temperature: bool
    takes_max_tokens: bool
    context_window: int | None = None
    max_output: int | None = None


class UnknownModel(LookupError):
    """Nobody in the catalog serves this model."""

    def __init__(self, model_id: str) -> None:
        shown = model_id if len(model_id) <= 80 else model_id[:79] + "…"
        self.message = f"No provider here serves the model “{shown}”. Pick one from the list."
        super().__init__(self.message)


PROVIDERS: dict[str, Provider] = {
    provider.id: provider
    for provider in (
        Provider("demo", "Demo", needs_key=False),
        Provider("openai", "OpenAI", needs_key=True),
    )
}


def _demo(model_id: str, label: str) -> Model:
    return Model(model_id, "demo", label, takes_temperature=False, takes_max_tokens=True)


def _openai(
    model_id: str,
    label: str,
    *,
    temperature: bool = False,
    window: int | None = None,
    output: int | None = None,
) -> Model:
    return Model(model_id, "openai", label, temperature, True, window, output)


MODELS: tuple[Model, ...] = (
    _demo("demo", "Demo"),
    _demo("demo-slow", "Demo, slow"),
    _demo("demo-fast", "Demo, fast"),
    # The reasoning models refuse any temperature but their own.
    _openai("gpt-6.2-astra", "GPT-6.2 Astra"),
    _openai("gpt-6.2-sol", "GPT-6.2 Sol"),
    _openai("gpt-6.1-terra", "GPT-6.1 Terra"),
    _openai("gpt-6-luna", "GPT-6 Luna"),
    _openai("gpt-5.5", "GPT-5.5"),
    _openai("gpt-5.4-mini", "GPT-5.4 mini"),
    _openai("gpt-4.1", "GPT-4.1", temperature=True, window=1_047_576, output=32_768),
    _openai("gpt-4.1-mini", "GPT-4.1 mini", temperature=True, window=1_047_576, output=32_768),
    _openai("gpt-4.1-nano", "GPT-4.1 nano", temperature=True, window=1_047_576, output=32_768),
    _openai("gpt-4o", "GPT-4o", temperature=True, window=128_000, output=16_384),
    _openai("gpt-4o-mini", "GPT-4o mini", temperature=True, window=128_000, output=16_384),
)

_BY_ID = {entry.id: entry for entry in MODELS}


def model(model_id: str) -> Model:
    """The model with this id; raises `UnknownModel`, whose message says what to do."""
    try:
        return _BY_ID[model_id]
    except KeyError:
        raise UnknownModel(model_id) from None


def models_by_provider() -> dict[Provider, tuple[Model, ...]]:
    """Every provider with its models, both in the order in which people should see them."""
    return {
        provider: tuple(entry for entry in MODELS if entry.provider == provider.id)
        for provider in PROVIDERS.values()
    }
