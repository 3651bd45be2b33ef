"""What differs between servers that speak Chat Completions: field names, and what they refuse."""

import logging
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import openai

from chat.llm import Prompt, Tool

logger = logging.getLogger(__name__)

# What a request can do without, or (the two names of the token limit) say otherwise.
_OPTIONAL = (
    "temperature",
    "reasoning_effort",
    "prompt_cache_key",
    "safety_identifier",
    "stream_options",
    "tools",
)
_TOKEN_NAMES = ("max_completion_tokens", "max_tokens")
_UNKNOWN = re.compile(
    r"unsupported|not supported|(?:does|do)(?:es)? ?n.t support|does not support|unknown"
    r"|unrecognized|unrecognised|unexpected|not permitted|not allowed|extra (?:input|field)",
    re.IGNORECASE,
)
_TOOLS_OFF = re.compile(r"tool.choice|not support(?:ing)? tools|support tools", re.IGNORECASE)

# These answer by Chat Completions with tools only if told not to reason at all.
_TOLD_NOT_TO_REASON = ("gpt-5.6", "gpt-6")
# These always reason, and then take no tools over Chat Completions.
_ALWAYS_REASON = ("gpt-6.1-sol", "gpt-6-astra")


@dataclass(frozen=True, slots=True)
class Fields:
    """The names a server understands."""

    tokens: str
    openai: bool = False  # the fields only OpenAI has


_FIELDS: Mapping[str, Fields] = {
    "openai": Fields("max_completion_tokens", openai=True),
    "groq": Fields("max_completion_tokens"),
    "ollama": Fields("max_tokens"),
    "generic": Fields("max_tokens"),
}


class Profile:
    """Builds requests for one server, and learns what it refuses: for the life of the process."""

    def __init__(self, provider: str) -> None:
        self.provider = provider
        self._fields = _FIELDS[provider]
        self._refused: defaultdict[str, set[str]] = defaultdict(set)  # by model

    def body(self, prompt: Prompt, model: str, tools: Sequence[Tool]) -> dict[str, Any]:
        """The request for a reply."""
        body: dict[str, Any] = {
            "model": model,
            "messages": list(prompt.messages),
            "stream": True,
            "stream_options": {"include_usage": True},
            self._tokens_name(model): prompt.reply_tokens,
        }
        if prompt.temperature is not None:
            body["temperature"] = prompt.temperature
        if tools:
            body["tools"] = [_function(tool) for tool in tools]
        if self._fields.openai:
            self._add_openai(body, prompt, model)
        for name in self._refused[model]:
            if name in _OPTIONAL:
                body.pop(name, None)
        return body

    def give_up(self, error: openai.APIStatusError, model: str, body: Mapping[str, Any]) -> bool:
        """Whether the server refused just one field, so that the request can go without it."""
        name = _named(error, body)
        if name is None or name in self._refused[model]:
            return False
        if set(_TOKEN_NAMES) <= self._refused[model] | {name}:
            return False  # it takes the limit by neither name
        logger.warning("%s does not take %s: it is left out from now on.", model, name)
        self._refused[model].add(name)
        return True

    def _tokens_name(self, model: str) -> str:
        name = self._fields.tokens
        if name in self._refused[model]:
            return next(other for other in _TOKEN_NAMES if other != name)
        return name

    def _add_openai(self, body: dict[str, Any], prompt: Prompt, model: str) -> None:
        body["stream_options"]["include_obfuscation"] = False  # padding of every chunk
        if prompt.cache_key:
            body["prompt_cache_key"] = prompt.cache_key
        if prompt.visitor:
            body["safety_identifier"] = prompt.visitor
        if model.startswith(_ALWAYS_REASON):
            body["reasoning_effort"] = "low"
            if body.pop("tools", None):
                logger.warning("%s takes no tools: no lead will be saved by it.", model)
        elif model.startswith(_TOLD_NOT_TO_REASON):
            body["reasoning_effort"] = "none"


def profile_for(provider: str, base_url: str) -> Profile:
    """The profile by its name or, without one, by the server's address."""
    if provider:
        if provider not in _FIELDS:
            known = ", ".join(_FIELDS)
            raise ValueError(f"CHAT_PROVIDER must be one of {known}, not {provider!r}.")
        return Profile(provider)
    address = urlsplit(base_url)
    host = address.hostname or ""
    if host.endswith((".openai.com", ".openai.azure.com")):
        return Profile("openai")
    if host.endswith(".groq.com"):
        return Profile("groq")
    return Profile("ollama" if address.port == 11434 else "generic")


def _function(tool: Tool) -> dict[str, Any]:
    return {
        "type": "function",
        "function": {
            "name": tool.name,
            "description": tool.description,
            "parameters": dict(tool.parameters),
        },
    }


def _named(error: openai.APIStatusError, body: Mapping[str, Any]) -> str | None:
    """The field that the server says it does not take."""
    unknown = bool(_UNKNOWN.search(error.message)) or error.code == "unsupported_parameter"
    if error.param in body and (unknown or error.param in ("temperature", "reasoning_effort")):
        return error.param if error.param in (*_OPTIONAL, *_TOKEN_NAMES) else None
    if "tools" in body and _TOOLS_OFF.search(error.message):
        return "tools"
    if not unknown:
        return None
    for name in (*_OPTIONAL, *_TOKEN_NAMES):
        if name in body and re.search(rf"\b{name}\b", error.message):
            return name
    return None
