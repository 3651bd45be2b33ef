"""The words of `landing/content.py` for a template, also where there is no view: 404 and 500."""

from types import ModuleType

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from landing import content

register = template.Library()


@register.simple_tag
def landing_content() -> ModuleType:
    return content


@register.filter
def coded(text: str) -> SafeString:
    """Plain text as HTML, with what stands between backticks as code."""
    parts = enumerate(text.split("`"))
    return format_html_join(
        "", "{}", ((format_html("<code>{}</code>", part) if n % 2 else part,) for n, part in parts)
    )
