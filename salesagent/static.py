"""Static files: hashed names that reach into module imports, served without holding a thread."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.core.files.base import ContentFile, File
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.storage import CompressedManifestStaticFilesStorage

_COMMENT = re.compile(r"^[ \t]*(?:/\*(?:(?!\*/).)*\*/|//[^\n]*)[ \t]*\n", re.DOTALL | re.MULTILINE)
_REMARK = re.compile(r"(?<=;) // [^\n]*")
_GAP = re.compile(r"\s*([{};,])\s*|(?<=:) +")
_MARGIN = re.compile(r"^[ \t]+|\n(?=\n)", re.MULTILINE)


def compact(source: str) -> str:
    """JavaScript or CSS without margins and the comments on lines of their own or after a `;`."""
    return _MARGIN.sub("", _REMARK.sub("", _COMMENT.sub("", source)))


def compact_style(source: str) -> str:
    """CSS on one line, without what only its readers need."""
    return _GAP.sub(lambda gap: gap[1] or "", compact(source)).replace(";}", "}")


class HashedStorage(CompressedManifestStaticFilesStorage):
    """Hashes the names in `import` lines too, so that every module of the widget is immutable."""

    support_js_module_import_aggregation = True

    def _save(self, name: str, content: File) -> str:
        """The widget travels to every visitor, without what only its readers need."""
        if re.match(r"widget/.*\.(js|css)$", name.replace("\\", "/")):
            shorten = compact_style if name.endswith(".css") else compact
            content = ContentFile(shorten(b"".join(content.chunks()).decode()).encode(), name)
        return super()._save(name, content)


class StaticMiddleware(WhiteNoiseMiddleware):
    """WhiteNoise for an ASGI server.

    The original is sync only: Django would run every request, also the ones that are no file,
    through a thread, and hold it for as long as an answer streams.
    """

    async_capable = True
    sync_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        super().__init__(get_response)
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if iscoroutinefunction(self):
            return self._answer(request)
        return super().__call__(request)

    async def _answer(self, request: HttpRequest) -> HttpResponseBase:
        path = request.path_info
        if self.autorefresh:
            is_file = self.static_prefix is not None and path.startswith(self.static_prefix)
            static_file = await sync_to_async(self.find_file)(path) if is_file else None
        else:
            static_file = self.files.get(path)
        if static_file is None:
            return await self.get_response(request)
        return await sync_to_async(self._read)(static_file, request)

    def _read(self, static_file: Any, request: HttpRequest) -> HttpResponse:
        """The whole file at once: they are small, and an ASGI server would gather it anyhow."""
        streamed = self.serve(static_file, request)
        response = HttpResponse(b"".join(streamed), status=streamed.status_code)
        del response["Content-Type"]
        for name, value in streamed.items():
            response[name] = value
        streamed.close()
        return response
