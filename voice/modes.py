"""Who listens and who speaks: the browser itself, or nobody."""

from typing import Literal

from django.conf import settings

Mode = Literal["server", "browser", "off"]


def modes() -> dict[str, Mode]:
    """The `voice` of init, by the setting VOICE_BACKEND."""
    mode: Mode = "browser" if settings.VOICE_BACKEND == "browser" else "off"
    return {"input": mode, "output": mode}
