"""Errors are recognised by what the wordings of many servers have in common.

The sentences are those of public servers and of reports about them; some are of our own invention.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from streaming.providers import errors
from streaming.providers.http import wordings
from streaming.providers.http.classify import Endpoint, to_provider_error
from streaming.providers.http.parsed import ErrorResponse
from streaming.providers.openai.chat_completions import CompatibleAdapter
from streaming.providers.openai.client import parse_error
from streaming.providers.refusals import find_refused_part
from streaming.providers.types import Request, Timeouts, Turn
from tests.providers.factories import collect_until_error
from tools.fake_provider import Behaviour, ErrorAnswer, Fake

WORDINGS = json.loads(Path(__file__).with_name("error_wordings.json").read_text())
KEYLESS = Endpoint("Lab", str, is_keyless=True, retries_silence=False)
WITH_KEY = Endpoint("OpenAI", str)


def read_table(name: str) -> list[tuple[int, str]]:
    return [(row["status"], row["message"]) for row in WORDINGS[name]]


def translate(
    status: int, message: str, codes: str = "", param: str = "", endpoint: Endpoint = KEYLESS
) -> errors.ProviderError:
    return to_provider_error(ErrorResponse(status, codes, message, param), endpoint)


@pytest.mark.parametrize(("status", "message"), read_table("too_long"))
def test_a_context_that_is_too_long_is_recognised(status: int, message: str) -> None:
    error = translate(status, message)
    assert type(error) is errors.ContextTooLong
    assert not error.retryable


@pytest.mark.parametrize(
    ("status", "codes", "param"),
    [
        (400, "exceed_context_size_error", ""),
        (400, "context_length_exceeded", ""),
        (422, "input_too_large", ""),
        (400, "string_above_max_length", "messages[1].content"),
        (422, "string_too_long", "messages.0.content"),
        (413, "tokens_limit_reached", ""),
        (400, "model_max_prompt_tokens_exceeded", ""),
        (0, "400 ContextWindowExceededError", ""),
        (500, "prompt_too_long", ""),
    ],
)
def test_a_code_alone_may_say_that_the_context_is_too_long(
    status: int, codes: str, param: str
) -> None:
    assert type(translate(status, "No.", codes, param)) is errors.ContextTooLong


@pytest.mark.parametrize(("status", "message"), read_table("not_too_long"))
def test_a_sentence_about_another_limit_is_no_context_that_is_too_long(
    status: int, message: str
) -> None:
    assert not isinstance(translate(status, message), errors.ContextTooLong)


def test_a_long_value_of_another_field_is_no_context_that_is_too_long() -> None:
    error = translate(400, "Invalid 'user': string too long.", "string_above_max_length", "user")
    assert type(error) is errors.BadRequest


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (
            413,
            "Request too large for k on tokens per minute (TPM): Limit 6000, Requested 9000",
            "alone",
        ),
        (
            429,
            "Request too large, on tokens per min. The input tokens must be reduced",
            "alone",
        ),
        (
            429,
            "Tokens per day (TPD): Limit 100,000, Used 0, Requested 100,001",
            "alone",
        ),
        (400, "This prompt is larger than the limit of 8000 tokens per minute", "alone"),
        (
            429,
            "on tokens per minute: Limit: 500, Requested: 501. Upgrade for more.",
            "alone",
        ),
        (429, "Request of 45000 tokens exceeds the limit of 30000 tokens per minute", "alone"),
        (
            429,
            "You requested 45,000 tokens but your limit is 30,000 tokens per minute",
            "alone",
        ),
        (429, "TPM limit is 30000 but this request needs 45000 tokens", "alone"),
        (429, "Requested 45000, limit: 30000 (tokens/min)", "alone"),
        (429, "Your plan allows 6000 tokens per minute, the prompt has 9000", "alone"),
        (429, "TPM: maximum 6,000; this request requires 9,000", "alone"),
        (429, "Requested 9000 tokens exceeds 6000 TPM", "alone"),
        (429, "You requested 9000 tokens but only 6000 tokens/min are allowed", "alone"),
        (429, "Your request (9000 tokens) is larger than your TPM quota (6000)", "alone"),
        (429, "You exceeded your per-minute rate limit: 9000 > 6000", "alone"),
        (
            429,
            "This would exceed your rate limit of 30,000 input tokens per minute. Your prompt has "
            "45,000",
            "alone",
        ),
        (429, "Your prompt (9,000 tokens) is over 6k tokens per minute", "alone"),
        (429, "6000 tokens per minute are allowed, this prompt has 9000 tokens", "alone"),
        (429, "Requested 9000 tokens per minute, limit 6000", "alone"),
        (429, "Your prompt needs 9k tokens, the TPM limit is 6,000", "alone"),
        (429, "6000 TPM are used up. (Request 70001)", "now"),
        (429, "Requested 900 tokens exceeds what is left of 6000 TPM", "now"),
        (429, "Your request (900 tokens) is refused, your TPM quota (6000) is used up", "now"),
        (429, "You exceeded your limit: 65 requests > 60 requests per minute", "now"),
        (429, "Per-minute rate limit: 5000 > 6000 is near", "now"),
        (429, "The prompt has 45 s to wait, 30 requests per minute", "now"),
        (429, "Request of 4500 tokens exceeds what is left of 30000 tokens per minute", "now"),
        (429, "TPM limit is 30000 and used up; this request needs 4000 tokens", "now"),
        (429, "The limit is 3 requests per minute; the request needs 45 s to wait", "now"),
        (
            429,
            "Tokens per min (TPM): Limit 30000, Used 29000, Requested 2000.",
            "now",
        ),
        (429, "This request would exceed the limit of 30,000 input tokens per minute.", "now"),
        (429, "Too many requests: 60 per minute", "now"),
    ],
)
def test_a_request_larger_than_the_limit_of_a_minute_is_not_sent_again(
    status: int, message: str, kind: str
) -> None:
    error = translate(status, message, "tokens rate_limit_exceeded")
    expected = errors.ExceedsRateLimit if kind == "alone" else errors.RateLimited
    assert type(error) is expected
    assert error.retryable is (kind == "now")
    assert ("again" in error.message) is (kind == "now")


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (500, "model requires more system memory (7.5 GiB) than is available (4.2 GiB)"),
        (500, "CUDA error: out of memory"),
        (500, "llama runner process has terminated: signal: killed"),
        (500, "ggml_backend_alloc: failed to allocate CUDA0 buffer of size 123"),
        (400, "Insufficient memory to load the model"),
        (0, "torch.OutOfMemoryError: Tried to allocate 2.00 GiB"),
        (503, "Model loading was stopped due to insufficient system resources"),
        (507, "There is not enough free VRAM"),
        (500, "std::bad_alloc"),
        (500, "error: kIOGPUCommandBufferCallbackErrorOutOfMemory"),
        (502, "worker exited with exit code 137"),
        (500, "The model does not fit in GPU memory"),
        (500, "model too large for available GPU memory"),
        (500, "Out of GPU VRAM"),
        (500, "VRAM exhausted"),
        (500, "cudaErrorMemoryAllocation"),
        (500, "KV cache full"),
        (503, "The model requires 40GB, but only 24GB are free"),
        (503, "Failed to load model: insufficient resources"),
        (500, "vk::Device::allocateMemory: ErrorOutOfDeviceMemory"),
        (500, "VK_ERROR_OUT_OF_DEVICE_MEMORY"),
        (500, "VK_ERROR_OUT_OF_HOST_MEMORY"),
        (500, "Metal: out of unified memory"),
        (500, "decode: failed to find a memory slot for batch of size 1"),
        (500, "The model has crashed without additional information. (Exit code: 137)"),
        (500, "model request too large for system"),
        (500, "The model is too large for this machine"),
        (500, "显存不足"),
        (500, "内存不够，无法加载模型"),
        (503, "no GPU with enough free memory"),
        (503, "The server does not have enough video RAM"),
        (500, "runner was stopped by the OOM killer"),
    ],
)
def test_a_server_without_memory_is_not_asked_again(status: int, message: str) -> None:
    error = translate(status, message, "api_error server_error")
    assert (type(error), error.retryable) == (errors.OutOfMemory, False)
    assert "smaller model" in error.message


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (500, "The memory of this assistant is off"),
        (500, "failed to allocate a worker"),
        (400, "the chat room was not found"),
        (500, "ran out of patience, memory is fine"),
        (500, "There is enough memory, but no worker"),
        (500, "Exit code: 1, no memory of it"),
        (400, "The image is too large for this machine learning model"),
        (429, "memory limit of your plan, too many requests"),
    ],
)
def test_other_sentences_about_memory_are_none_of_a_server_without_it(
    status: int, message: str
) -> None:
    assert not isinstance(translate(status, message), errors.OutOfMemory)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "kelp is not a valid model ID"),
        (400, "Invalid model name passed in model=kelp"),
        (404, "The model `kelp` does not exist."),
        (400, "Model Not Exist"),
        (400, "The provided model identifier is invalid."),
        (400, "The model `kelp` has been decommissioned and is no longer supported."),
        (404, "The API deployment for this resource does not exist."),
        (404, "No endpoints found for kelp/kelp."),
        (400, "The requested model is not supported."),
        (422, "Unknown model: kelp"),
        (400, "Unable to access model kelp. Please visit the list of supported models."),
        (404, "There is no model named kelp"),
        (410, "This model has been retired"),
        (503, "No available channel for model kelp under group default"),
        (400, "模型不存在，请检查模型代码。"),
        (400, '"nomic-embed-text" does not support chat'),
        (400, "This is not a chat model"),
        (400, "x does not support chat completions"),
        (400, "m: model is unavailable"),
        (404, "The requested model 'x' isn't served here"),
        (400, "The model doesn't exist"),
        (400, "x is not in the list of available models"),
        (400, "x isn’t one of the models of this server"),
        (400, "The model `x` has been shut down"),
        (400, "This model was discontinued in May"),
        (400, "could not resolve model x"),
        (400, "model_not_found"),
        (400, "无此模型"),
        (400, "没有该模型"),
        (500, "There are no healthy deployments for this model"),
        (400, "There is no 'model_name' with this string"),
    ],
)
def test_a_missing_model_is_recognised(status: int, message: str) -> None:
    error = translate(status, message, "invalid_request_error")
    assert type(error) is errors.ModelNotFound
    assert error.message == "Lab has no such model. Choose another one."
    assert "your API key" in translate(status, message, endpoint=WITH_KEY).message


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (404, 'model "kelp" not found, try pulling it first'),
        (404, "No models loaded. Please load a model in the developer page."),
        (500, "could not load model: rpc error"),
        (400, "No models are currently loaded."),
        (404, "Model kelp has not been downloaded"),
        (503, "Model x is not currently loaded"),
        (400, "Model unloaded."),
        (400, "model x isn't installed"),
        (503, "The model was unloaded"),
    ],
)
def test_a_model_that_is_not_loaded_is_a_case_for_the_administrator(
    status: int, message: str
) -> None:
    error = translate(status, message, "api_error")
    assert (type(error), error.retryable) == (errors.ModelNotFound, False)
    assert "ask your administrator to load it" in error.message


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (400, "This model does not support image inputs", errors.BadRequest),
        (503, "The model is overloaded", errors.Overloaded),
        (503, "Model kelp is currently loading", errors.Overloaded),
        (503, "Model kelp is not loaded yet, try again in 20 s", errors.Overloaded),
        (503, "The model is unavailable", errors.Overloaded),
        (500, "The model is temporarily unavailable", errors.ProviderError),
        (500, "No healthy deployments for this model, try again later", errors.ProviderError),
        (400, "For this model streaming has been disabled", errors.BadRequest),
        (400, "For this model the temperature option has been removed", errors.BadRequest),
        (400, "x does not support chat templates with tools", errors.BadRequest),
        (400, "Tools are not in the list of features of these models", errors.BadRequest),
        (400, "Invalid model parameters: top_p", errors.BadRequest),
        (400, "temperature is not available for this model", errors.BadRequest),
        (400, "For this model the parameter temperature is not available", errors.BadRequest),
        (400, "Model m has no thinking mode, not available", errors.BadRequest),
        (
            404,
            "No endpoints found that can handle the requested parameters.",
            errors.BadRequest,
        ),
        (400, "Memory limit: stream_options not supported", errors.BadRequest),
        (
            404,
            "No endpoints found matching your data policy",
            errors.AccountSettings,
        ),
        (404, "No allowed providers are available for the selected model.", errors.AccountSettings),
        (400, "'kelp' is not supported by any provider you have enabled.", errors.AccountSettings),
        (404, "All ignored providers: none is left for this model", errors.AccountSettings),
        (403, "Enable the model in your account settings first", errors.AccountSettings),
        (404, "Not Found", errors.WrongAddress),
        (404, "404 page not found", errors.WrongAddress),
        (404, "Unexpected endpoint or method. (POST /chat/completions)", errors.WrongAddress),
        (405, "Method Not Allowed", errors.WrongAddress),
        (404, "Cannot POST /v1/chat/completions", errors.WrongAddress),
        (0, "Unexpected endpoint or method. (POST /chat/completions)", errors.WrongAddress),
        (400, "Invalid URL (POST /v1/chat/completions)", errors.WrongAddress),
        (400, "Invalid URL: data:image/png", errors.BadRequest),
        (301, "Moved Permanently", errors.WrongAddress),
        (308, "The model has moved", errors.WrongAddress),
        (304, "Not Modified", errors.ProviderError),
    ],
)
def test_what_is_no_missing_model_has_another_error(
    status: int, message: str, kind: type[errors.ProviderError]
) -> None:
    assert type(translate(status, message)) is kind


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, {"error": "Unauthorized"}, "needs_key"),
        (401, {"error": {"message": "Incorrect API key", "code": "invalid_api_key"}}, "needs_key"),
        (401, {"detail": "Missing Authorization header"}, "needs_key"),
        (403, {"error": {"message": "No", "type": "permission_error"}}, "gives no access"),
        (402, {"error": "Pay."}, "The account at Lab"),
        (400, {"error": {"message": "No key", "code": "invalid_api_key"}}, "needs_key"),
    ],
)
def test_the_error_of_a_server_without_keys_speaks_of_no_key_of_a_person(
    status: int, body: Any, words: str
) -> None:
    answer = parse_error(body, status)
    message = to_provider_error(answer, KEYLESS).message
    assert words in message
    assert "dministrator" in message
    assert "your API key" not in message
    assert words not in to_provider_error(answer, WITH_KEY).message


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "No API key provided"),
        (400, "Missing API key in Authorization header"),
        (400, "You didn't provide an API key."),
        (400, "Unauthorized"),
        (400, "Authentication Error, No api key passed in."),
        (422, "This endpoint requires an API key"),
        (403, "Invalid API key"),
        (404, "Invalid API key"),
        (500, "Invalid API key"),
        (500, "401 Unauthorized: wrong api_key"),
        (0, "Incorrect API key provided"),
        (400, "API key is missing"),
        (400, "Missing Authorization header"),
        (403, "Not authenticated"),
        (403, "Authentication credentials were not provided."),
        (403, "Missing bearer token"),
        (403, "token is missing"),
        (403, "Forbidden: invalid token"),
        (400, "Access token is expired"),
        (400, "The bearer token has expired"),
        (400, "Invalid auth token"),
        (403, "No credentials were given"),
    ],
)
def test_a_key_that_is_wrong_or_missing_is_recognised(status: int, message: str) -> None:
    error = translate(status, message)
    assert (type(error), error.retryable) == (errors.InvalidKey, False)
    assert "needs_key" in error.message


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (403, "Your API key has no access to this model", errors.NoPermission),
        (404, "The model kelp is not available for your API key", errors.ModelNotFound),
        (429, "Too many requests for this API key", errors.RateLimited),
        (400, "Invalid key 'stream_options'", errors.BadRequest),
        (403, "Your token has no access to this model", errors.NoPermission),
        (400, "Unexpected token < in JSON: an invalid token", errors.BadRequest),
        (400, "logit_bias: invalid token 50257", errors.BadRequest),
        (400, "The prompt asks for no token", errors.BadRequest),
        (407, "Proxy Authentication Required", errors.ProxyFailed),
        (400, "The prompt says: unauthorized people may not enter", errors.BadRequest),
        (500, "Could not provide a reply", errors.ProviderError),
    ],
)
def test_a_key_in_another_sentence_is_not_a_wrong_one(
    status: int, message: str, kind: type[errors.ProviderError]
) -> None:
    assert type(translate(status, message)) is kind


PAGE = "<html><head><title>{0}</title></head><body><h1>{0}</h1><hr>nginx/1.24.0</body></html>"


@pytest.mark.parametrize(
    ("status", "title", "kind", "words"),
    [
        (502, "502 Bad Gateway", errors.Overloaded, "Try again in a moment."),
        (503, "503 Service Temporarily Unavailable", errors.Overloaded, "Try again in a moment."),
        (504, "504 Gateway Time-out", errors.NoResponse, "proxy’s time limit"),
        (524, "524: A timeout occurred", errors.NoResponse, "proxy’s time limit"),
        (522, "522: Connection timed out", errors.Overloaded, "A proxy gets no answer from Lab."),
        (525, "525: SSL handshake failed", errors.ProxyFailed, "certificate of Lab"),
        (526, "526: Invalid SSL certificate", errors.ProxyFailed, "certificate of Lab"),
        (413, "413 Request Entity Too Large", errors.ContextTooLong, "proxy’s limit"),
        (403, "Attention Required! | Cloudflare", errors.ProxyFailed, "blocked this request"),
        (404, "404 Not Found", errors.WrongAddress, "to check it"),
    ],
)
async def test_a_page_of_a_proxy_says_what_helps(
    fake: Fake, status: int, title: str, kind: type[errors.ProviderError], words: str
) -> None:
    fake.script(Behaviour(error=ErrorAnswer(status, PAGE.format(title))))
    error = await ask_lab(fake)
    assert type(error) is kind
    assert words in error.message
    assert "<" not in error.detail
    assert error.retryable is (kind is errors.Overloaded)


async def ask_lab(fake: Fake, seconds: float = 10.0) -> errors.ProviderError:
    """The error of a reply, over the real client, which waits so long for the first text."""
    patience = Timeouts(first_delta=seconds, idle=seconds)
    lab = CompatibleAdapter(base_url=fake.openai, name="Lab", timeouts=patience)
    events, error = await collect_until_error(lab, Request("kelp", (Turn("user", "?"),)), key="")
    assert events == []
    assert error is not None
    return error


@pytest.mark.parametrize("stream", [False, True], ids=["instead of a stream", "in the stream"])
@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("request (4390 tokens) exceeds the available context size", errors.ContextTooLong),
        ("model requires more system memory (7.5 GiB) than available", errors.OutOfMemory),
        ("model 'kelp' not found, try pulling it first", errors.ModelNotFound),
    ],
)
async def test_the_real_client_hands_over_the_words(
    fake: Fake, stream: bool, message: str, kind: type[errors.ProviderError]
) -> None:
    body = {"error": {"message": message, "type": "server_error", "code": 500}}
    answer = ErrorAnswer(0 if stream else 500, body)
    fake.script(Behaviour(error=answer, error_after=0 if stream else None))
    assert type(await ask_lab(fake)) is kind


@pytest.mark.parametrize(
    "behaviour", [Behaviour(stall_after=0), Behaviour.of("Kelp", first_delay=30)]
)
async def test_a_compatible_server_that_is_silent_is_not_asked_again(
    fake: Fake, behaviour: Behaviour
) -> None:
    fake.script(behaviour)
    error = await ask_lab(fake, 0.3)
    assert (type(error), error.retryable) == (errors.NoResponse, False)
    assert "raise the time limit" in error.message


def test_a_megabyte_of_words_is_searched_at_once() -> None:
    parsed = parse_error("prompt " * 150_000 + "<script" * 20_000, 400)
    assert len(parsed.message) <= 4_000
    assert type(to_provider_error(parsed, KEYLESS)) is errors.BadRequest


@pytest.mark.parametrize(
    "words",
    ["> 1", "max_", "9,", "limit token model\n", "no not <a ", "failed to find kv ", "only a "],
)
def test_words_that_begin_many_wordings_are_searched_in_time(words: str) -> None:
    began = time.process_time()
    for status in (400, 403, 429, 500):
        error = to_provider_error(parse_error(words * (200_000 // len(words)), status), KEYLESS)
        find_refused_part(error, Request("kelp", (Turn("user", "?"),), system="Be brief."))
    assert time.process_time() - began < 3


@pytest.mark.parametrize(
    ("message", "status"),
    [
        ("Unauthorized", 401),
        ("401 Unauthorized\n", 401),
        ("HTTP/1.1 503 Service Unavailable", 503),
        ("Error code: 429 - Too Many Requests", 429),
        ("error: 502: Bad Gateway.", 502),
        ("Request Entity Too Large", 413),
        ("no healthy upstream", 503),
        ("Not Found: the model kelp", 0),
        ("I'm not authorized", 0),
        ("503", 0),
        ("", 0),
        ("http/" * 30 + "#", 0),
    ],
)
def test_a_status_in_words_counts_as_one(message: str, status: int) -> None:
    assert wordings.read_status_line(message) == status
