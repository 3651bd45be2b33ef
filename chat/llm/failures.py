"""Everything that can go wrong between us and a model's server, as an `LLMError`.

`refused`: asking again would not help. `rate_limited`, `overloaded`: the server is there but
cannot now. `unreachable`, `timeout`: it is not there. `truncated`: the stream ended too early.
`broken`: what it sends makes no sense.
"""

import logging
import time
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime

import aiohttp
import httpx2
import openai

from chat.llm import LLMError
from chat.llm.sse import StreamBroken

logger = logging.getLogger(__name__)

# Codes and types that servers put into an error, in its body or as an event of the stream.
_SPENT = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"}
_LIMITED = {"rate_limit_exceeded", "rate_limit_error", "too_many_requests", "rate_limited"}
_REFUSED = {
    "authentication_error",
    "content_policy_violation",
    "context_length_exceeded",
    "invalid_api_key",
    "invalid_request_error",
    "model_not_found",
    "not_found_error",
    "permission_error",
}


def failure(error: Exception, model: str) -> LLMError:
    """The `LLMError` for what was raised; logged with what a deployer needs to mend it."""
    found = _translate(error)
    if not isinstance(error, LLMError):
        logger.warning(
            "A request for %s failed: %s (%s)", model, found.code, ", ".join(_facts(error))
        )
    return found


def stated_failure(error: object) -> LLMError:
    """The `LLMError` for an error that a server states inside of a stream."""
    stated = error if isinstance(error, dict) else {}
    codes = {str(stated.get(key) or "") for key in ("code", "type", "status")}
    if codes & _SPENT:
        return LLMError("refused", retryable=False)
    if "429" in codes or codes & _LIMITED:
        return LLMError("rate_limited", retryable=True)
    if codes & _REFUSED or codes & {"400", "401", "403", "404", "422"}:
        return LLMError("refused", retryable=False)
    return LLMError("overloaded", retryable=True)


def _translate(error: Exception) -> LLMError:
    match error:
        case LLMError():
            return error
        case openai.APIStatusError():
            return _by_status(error)
        case openai.APIConnectionError() | httpx2.TransportError():
            # The transport calls a dropped connection a timeout too; the cause knows better.
            slow = any(isinstance(cause, TimeoutError) for cause in _causes(error))
            return LLMError("timeout" if slow else "unreachable", retryable=True)
        case openai.APIError() | httpx2.HTTPError() | StreamBroken():
            return LLMError("broken", retryable=True)
        case OSError() | aiohttp.ClientError():
            # The transport lets some of its own errors through, as of a body cut off at its start.
            return LLMError("unreachable", retryable=True)
    logger.error("Not a failure of the model's server: %s", type(error).__name__)
    return LLMError("broken", retryable=False)


def _by_status(error: openai.APIStatusError) -> LLMError:
    status = error.status_code
    wait = retry_after(error.response.headers)
    if status == 429:
        if error.code in _SPENT or error.type in _SPENT:
            return LLMError("refused", retryable=False)
        return LLMError("rate_limited", retryable=True, retry_after=wait)
    if status == 408:
        return LLMError("timeout", retryable=True, retry_after=wait)
    if status >= 500 or status == 409:
        return LLMError("overloaded", retryable=True, retry_after=wait)
    return LLMError("refused", retryable=False)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that a server asks to wait, however it says so."""
    try:
        if "retry-after-ms" in headers:
            return max(0.0, float(headers["retry-after-ms"]) / 1000)
        if "retry-after" not in headers:
            return None
        stated = headers["retry-after"].strip()
        if stated[:1].isdigit():
            return float(stated)
        return max(0.0, parsedate_to_datetime(stated).timestamp() - time.time())
    except ValueError:
        return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _facts(error: Exception) -> Iterator[str]:
    """Of an error what may stand in a log: its message could hold words of the chat."""
    yield type(error).__name__
    if isinstance(error, openai.APIStatusError):
        yield f"status {error.status_code}"
        if error.request_id:
            yield f"request {error.request_id}"
    if isinstance(error, openai.APIError):
        for name in ("code", "type", "param"):
            value = getattr(error, name, None)
            if isinstance(value, str | int) and value:
                yield f"{name} {str(value)[:80]}"
