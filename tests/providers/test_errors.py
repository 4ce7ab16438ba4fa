"""The tree of errors: their messages, and the facts that callers decide on."""

from streaming.providers import errors


def list_error_classes(kind: type[errors.ProviderError]) -> list[type[errors.ProviderError]]:
    return [
        kind,
        *(
            error_class
            for subclass in kind.__subclasses__()
            for error_class in list_error_classes(subclass)
        ),
    ]


def test_every_error_has_its_own_code_and_a_message_for_people() -> None:
    kinds = list_error_classes(errors.ProviderError)
    assert len({kind.code for kind in kinds}) == len(kinds) == 22
    for kind in kinds:
        for is_keyless in (False, True):
            message = kind(provider="OpenAI", is_keyless=is_keyless).message
            assert message.endswith(".")
            assert "{" not in message


def test_messages_read_well_without_a_provider_name() -> None:
    assert errors.ConnectionFailed().message == "The provider could not be reached."
    assert "connection to the provider broke" in errors.Interrupted().message


def test_an_error_carries_the_facts_that_callers_decide_on() -> None:
    error = errors.RateLimited("Wait.", retry_after=7.0, detail="tpm", upstream_id="r", status=429)
    assert (str(error), error.retryable, error.retry_after) == ("Wait.", True, 7.0)
    assert (error.detail, error.upstream_id, error.status) == ("tpm", "r", 429)
    assert errors.RateLimited(retryable=False).retryable is False
