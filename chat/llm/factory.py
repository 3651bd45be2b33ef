"""Which backend writes the replies: chosen by a setting, as Django does for e-mail."""

from chat.llm import LLM


def load(backend: str) -> LLM:
    """A new instance of a backend: "completions", "guided" or "scripted".

    Each is imported only when asked for: the vendor's package takes a second to import.
    """
    match backend:
        case "completions":
            from chat.llm.completions import Completions

            return Completions.create()
        case "guided":
            from chat.llm.guided import Guided

            return Guided()
        case "scripted":
            from chat.llm.scripted import Scripted

            return Scripted.create()
        case _:
            raise ValueError(
                f"CHAT_BACKEND must be completions, guided or scripted, not {backend!r}."
            )
