"""One protocol for everything that can write a reply: a model, the guided seller, a script."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

# The shape of Chat Completions: {"role": "system" | "user" | "assistant" | "tool", "content": ...}.
ChatMessage = Mapping[str, Any]
StopReason = Literal["stop", "length", "tool_calls", "content_filter"]


class Found(Protocol):
    """A knowledge entry that a search found (`knowledge.search.Found` is one)."""

    @property
    def title(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def link(self) -> str: ...
    @property
    def language(self) -> str: ...
    @property
    def score(self) -> float: ...  # 0 to 1
    @property
    def sure(self) -> bool: ...  # whether it answers the question, by the setting's threshold


Search = Callable[[str], Awaitable[Sequence[Found]]]


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may call; `parameters` is a JSON schema of an object."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Prompt:
    """All that a reply is made from."""

    messages: Sequence[ChatMessage]  # fitted to the budget, the visitor's last words in them
    question: str  # the visitor's unanswered words
    language: str  # BCP 47, the visitor's or else the site's
    agent: str  # the agent's name
    company: str  # the site's name
    known: Mapping[str, str]  # what the lead already holds, by field
    search: Search
    # Name and e-mail of somebody signed in on the website; for the lead only once they agree.
    signed: Mapping[str, str] = field(default_factory=dict)
    model: str = ""  # empty: the backend's own
    reply_tokens: int = 600
    temperature: float | None = None
    cache_key: str = ""  # the same for all prompts with this beginning
    visitor: str = ""  # a hash, for the provider's abuse detection


@dataclass(frozen=True, slots=True)
class Text:
    """The next piece of the reply."""

    text: str


@dataclass(frozen=True, slots=True)
class Cited:
    """A knowledge entry the reply was made from; for backends that know which."""

    title: str
    link: str


@dataclass(frozen=True, slots=True)
class Offered:
    """Quick replies to the question that the reply ends with; for backends that know them."""

    replies: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A whole tool call. `arguments` is what the model wrote: perhaps not JSON at all."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Usage:
    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Done:
    """The last event of a stream that ended well."""

    stop_reason: StopReason
    usage: Usage | None = None
    model: str = ""


Event = Text | Cited | Offered | ToolCall | Done


class LLMError(Exception):
    """A stream that did not end well.

    `retryable`: the same request may succeed; `retry_after`: seconds the server asks to wait;
    `code`: for logs, like "rate_limited", "timeout", "refused", "broken" - never words of a chat.
    """

    def __init__(self, code: str, *, retryable: bool, retry_after: float | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.retryable = retryable
        self.retry_after = retry_after


class LLM(Protocol):
    """Something that writes replies. One instance a process, used by many turns at once."""

    name: str  # as in CHAT_BACKEND
    paid: bool  # whether a request costs money

    def stream(self, prompt: Prompt, tools: Sequence[Tool]) -> AsyncIterator[Event]:
        """The events of one reply, ending with `Done`; raises `LLMError` where it cannot.

        The caller closes the iterator early to stop; that ends the request upstream too.
        """
        ...

    async def close(self) -> None: ...
