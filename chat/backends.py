"""Who writes the replies of this process, in which order they are asked, and how they do."""

from collections.abc import Sequence

from django.conf import settings

from chat.llm import LLM
from chat.llm.factory import load

ENOUGH = 3  # replies in a row that the configured model could not write
_models: dict[str, LLM] = {}
_failures = 0


def build() -> None:
    """Makes what every turn needs, so that no visitor waits for it."""
    for name in (settings.CHAT_BACKEND, "guided"):
        _models[name] = load(name)


async def close() -> None:
    for model in _models.values():
        await model.close()
    _models.clear()


def chain() -> Sequence[tuple[LLM, str]]:
    """Who is asked, in this order, each with the model it is asked for ("": the persona's)."""
    first = _models[settings.CHAT_BACKEND]
    chain = [(first, ""), (first, "")]
    if settings.CHAT_FALLBACK_MODEL and settings.CHAT_BACKEND == "completions":
        chain.append((first, settings.CHAT_FALLBACK_MODEL))
    if settings.CHAT_BACKEND != "guided":
        chain.append((_models["guided"], ""))
    return chain


def note(*, fell_back: bool) -> None:
    """A reply was written: by the configured model, or by one after it."""
    global _failures
    _failures = _failures + 1 if fell_back else 0


def health() -> dict[str, str]:
    """How the last replies went, without asking anybody."""
    if settings.CHAT_BACKEND == "guided":
        return {"status": "off", "detail": "the guided seller answers"}
    if _failures >= ENOUGH:
        return {"status": "degraded", "detail": "the model fails; the guided seller answers"}
    return {"status": "ok"}
