"""Who writes the replies of this process, in which order they are asked, and how they do."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Literal

from django.conf import settings

from chat.breaker import Breaker
from chat.llm import LLM
from chat.llm.factory import load

ENOUGH = 3  # replies in a row that the configured model could not write
Step = Literal["model", "fallback", "guided"]  # who answers: the configured model, or for it

_models: dict[str, LLM] = {}
_failures = 0
_latest: Step = "model"  # who wrote the latest reply


def _closed() -> Breaker:
    return Breaker(
        failures=settings.CHAT_BREAKER_FAILURES,
        window=settings.CHAT_BREAKER_WINDOW,
        rest=settings.CHAT_BREAKER_REST,
    )


_breakers: defaultdict[tuple[str, str], Breaker] = defaultdict(_closed)


def build() -> None:
    """Makes what every turn needs, so that no visitor waits for it."""
    for name in (settings.CHAT_BACKEND, "guided"):
        _models[name] = load(name)


def warm() -> None:
    """What the models' first replies need, computed in a thread while nobody waits for it."""
    from chat.llm.guided import warm

    warm()


async def close() -> None:
    for model in _models.values():
        await model.close()
    _models.clear()
    _breakers.clear()


def chain() -> Sequence[tuple[LLM, str]]:
    """Who is asked, in this order, each with the model it is asked for ("": the persona's)."""
    first = _models[settings.CHAT_BACKEND]
    chain = [(first, ""), (first, "")]
    if settings.CHAT_FALLBACK_MODEL and settings.CHAT_BACKEND == "completions":
        chain.append((first, settings.CHAT_FALLBACK_MODEL))
    if settings.CHAT_BACKEND != "guided":
        chain.append((_models["guided"], ""))
    return chain


def pays_first() -> str | None:
    """The model ("": the persona's) that is asked first, where that costs money and may be done."""
    llm, model = chain()[0]
    return model if llm.paid and breaker(llm, model).admits() else None


def paid() -> bool:
    """Whether the configured model costs money."""
    return settings.CHAT_BACKEND == "completions"


def breaker(llm: LLM, model: str) -> Breaker:
    """What is known of this model's server. The guided seller has none and cannot be away."""
    return _breakers[llm.name, model]


def breakers() -> dict[str, bool]:
    """By model ("default": the persona's or CHAT_MODEL) whether it is left alone for a while."""
    own = [(model, found) for (name, model), found in _breakers.items() if name != "guided"]
    return {model or "default": found.open for model, found in own}


def note(llm: LLM, model: str) -> None:
    """A reply was written by this one of the `chain`."""
    global _failures, _latest
    own = llm.name == settings.CHAT_BACKEND
    _latest = ("fallback" if model else "model") if own else "guided"
    _failures = 0 if _latest == "model" else _failures + 1


def step() -> Step:
    """Who answers now in the place of the configured model, as far as its failures tell."""
    if settings.CHAT_BACKEND == "guided":
        return "guided"
    if _breakers[settings.CHAT_BACKEND, ""].open:
        fallback = settings.CHAT_BACKEND == "completions" and settings.CHAT_FALLBACK_MODEL
        gone = not fallback or _breakers[settings.CHAT_BACKEND, fallback].open
        return "guided" if gone else "fallback"
    return _latest if _failures >= ENOUGH else "model"


def health() -> dict[str, str]:
    """How the last replies went, without asking anybody."""
    if settings.CHAT_BACKEND == "guided":
        return {"status": "off", "detail": "the guided seller answers"}
    if _breakers[settings.CHAT_BACKEND, ""].open:
        return {"status": "degraded", "detail": "the model fails and is left alone for a while"}
    if _failures >= ENOUGH:
        return {"status": "degraded", "detail": "the model fails; others answer for it"}
    return {"status": "ok"}
