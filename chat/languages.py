"""Which of our languages to speak. Pure."""

from django.conf import settings
from django.utils.translation import get_supported_language_variant


def spoken(*tags: str) -> str:
    """The first of `tags` that the product's own phrases exist in, as Django names it.

    Only these reach Django's translations, which keep every name they are asked for.
    """
    for tag in tags:
        try:
            return get_supported_language_variant(tag.replace("_", "-").lower())
        except LookupError:
            continue
    return settings.LANGUAGE_CODE
