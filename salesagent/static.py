"""Static files: hashed names that reach into module imports, served without holding a thread."""

import json
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from graphlib import TopologicalSorter
from pathlib import Path, PurePosixPath
from typing import Any

import zopfli.gzip
from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from django.core.files.storage import InMemoryStorage
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from whitenoise.compress import Compressor
from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.storage import CompressedManifestStaticFilesStorage

try:  # on Linux, which is what platforms run; elsewhere the widget is a fifth larger
    import minify
except ImportError:
    minify = None

_COMMENT = re.compile(r"^[ \t]*(?:/\*(?:(?!\*/).)*\*/|//[^\n]*)[ \t]*\n", re.DOTALL | re.MULTILINE)
_CAST = re.compile(r"/\*\* @(?:(?!\*/).)*\*/ ?")
_REMARK = re.compile(r"(?<=;) // [^\n]*")
_GAP = re.compile(r"\s*([{};,])\s*|(?<=:) +")
_MARGIN = re.compile(r"^[ \t]+|\n(?=\n)", re.MULTILINE)
_IMPORT = re.compile(r'^import \{ .+ \} from "\./([a-z-]+\.js)";\n', re.MULTILINE)
_LATER = re.compile(r'import\("\./([a-z/-]+\.js)"\)')
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const|let)\b)", re.MULTILINE)
_DECLARED = re.compile(r"^(?:async )?(?:function|class|const|let) (\w+)", re.MULTILINE)

WIDGET = Path(settings.BASE_DIR) / "static" / "widget"
# What a visitor's browser fetches, each in one piece: modules from this one, and these sheets.
ENTRY = "define.js"
SHEETS = ("chat-widget.css", "messages.css")
# The sheets of what few visitors see go with its modules: see extras.js.
EXTRAS = {"extras.js": "extras.css", "voice/voice.js": "voice/voice.css"}
PATIENT = {"widget", "strings", "rights", "voice", "words", "landing"}  # folders


def compact(source: str) -> str:
    """JavaScript without what only its readers need: names, types, comments, margins."""
    if minify is not None:
        return minify.string("text/javascript", source)
    for unread in (_COMMENT, _CAST, _REMARK, _MARGIN):
        source = unread.sub("", source)
    return source


def compact_style(source: str) -> str:
    """CSS on one line, without what only its readers need."""
    if minify is not None:
        return minify.string("text/css", source)
    return _GAP.sub(lambda gap: gap[1] or "", _COMMENT.sub("", source)).replace(";}", "}")


def packed(data: bytes) -> bytes:
    """The smallest gzip there is of `data`: slow to make, and made once for all visitors."""
    return zopfli.gzip.compress(data)


def joined_modules(entry: Path) -> str:
    """The module and all it imports as one script, each after what it needs.

    One file packs a fifth smaller than the same modules one by one, and is one request. It works
    since the widget's modules import by lines of one form and share no name at their top; raises
    `ImproperlyConfigured` where they do.
    """
    needs: dict[Path, list[Path]] = {}
    found = [entry]
    while found:
        path = found.pop()
        if path not in needs:
            needs[path] = [path.with_name(name) for name in _IMPORT.findall(path.read_text())]
            found += needs[path]
    order = TopologicalSorter(needs).static_order()
    script = ""
    for path in order:
        source = _IMPORT.sub("", path.read_text())
        script += source if path == entry else _EXPORT.sub("", source)
    twice = [name for name, times in Counter(_DECLARED.findall(script)).items() if times > 1]
    if twice:
        raise ImproperlyConfigured(f"Two modules of the widget declare {', '.join(twice)}.")
    return script


class SmallestGzip(Compressor):
    """Takes its time for what visitors load, and for nothing else."""

    def compress(self, path: str) -> list[str]:
        made: list[str] = super().compress(path)
        if PATIENT & {*Path(path).parts[-2:-1]}:
            for name in made:
                if name.endswith(".gz"):
                    Path(name).write_bytes(packed(Path(path).read_bytes()))
        return made


class HashedStorage(CompressedManifestStaticFilesStorage):
    """Hashes the names in `import` lines too, so that every module of the widget is immutable."""

    support_js_module_import_aggregation = True

    def file_hash(self, name: str, content: Any = None) -> str | None:
        """Eight digits tell versions apart as well as twelve, and a script names many files."""
        found = super().file_hash(name, content)
        return found[:8] if found else None

    def create_compressor(self, **options: Any) -> Compressor:
        return SmallestGzip(**options)

    def post_process(
        self, paths: dict[str, tuple[Any, str]], *args: Any, **more: Any
    ) -> Iterator[Any]:
        """The widget travels to every visitor: in one piece, without what only readers need."""
        built = InMemoryStorage()
        for name in [name for name in paths if name.startswith("widget/")]:
            del paths[name]
            self.delete(name)
        for name, text in widget_files().items():
            for storage in (built, self):  # hashing one file looks for what it names in the other
                storage.save(name, ContentFile(text.encode()))
            paths[name] = (built, name)
        yield from super().post_process(paths, *args, **more)


def widget_files() -> dict[str, str]:
    """What is served of the widget, by name: script, style, what few need, the languages."""
    scripts: dict[str, str] = {}
    wanted = [ENTRY]
    while wanted:
        name = wanted.pop()
        if name not in scripts:
            scripts[name] = joined_modules(WIDGET / name)
            later = _LATER.findall(_COMMENT.sub("", _CAST.sub("", scripts[name])))
            wanted += [str(PurePosixPath(name).parent / other) for other in later]
    for name, sheet in EXTRAS.items():
        extra = compact_style((WIDGET / sheet).read_text())
        head, given, last = scripts[name].rpartition("export const parts = ")
        head = head.replace('"EXTRA_STYLE"', json.dumps(extra))
        scripts[name] = f"{given}(() => {{\n{head}return {last}}})();\n"
    # What stands at a script's top keeps its names; in a function they become letters, too.
    scripts[ENTRY] = f"(() => {{\n{scripts[ENTRY]}}})();\n"
    files = {f"widget/{name}": compact(text) for name, text in scripts.items()}
    style = "".join((WIDGET / sheet).read_text() for sheet in SHEETS)
    return {**files, f"widget/{SHEETS[0]}": compact_style(style)}


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
