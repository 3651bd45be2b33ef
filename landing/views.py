"""The marketing page around the widget's tag."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.shortcuts import render
from django.templatetags.static import static
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from landing.content import FEATURES


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    origin = settings.PUBLIC_URL or request.build_absolute_uri("/").rstrip("/")
    context = {"origin": origin, "site": "demo", "features": FEATURES}
    return render(request, "landing/index.html", context)


@require_safe
@cache_control(public=True, max_age=86400)
def favicon(request: HttpRequest) -> HttpResponse:
    """Browsers ask for it here whatever a page says."""
    return HttpResponsePermanentRedirect(static("landing/favicon.ico"))
