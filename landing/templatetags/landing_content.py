"""The words of `landing/content.py` for a template, also where there is no view: 404 and 500."""

import re
from types import ModuleType

from django import template
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from landing import content

register = template.Library()


@register.simple_tag
def landing_content() -> ModuleType:
    return content


@register.filter
def coded(text: str) -> SafeString:
    """Plain text as HTML, with what stands between backticks as code."""
    return mark_safe(re.sub("`([^`]+)`", r"<code>\1</code>", escape(text)))  # noqa: S308
