"""Makes the pictures beside the landing page from its own words and colours (docs/landing.md).

Run it by hand after the words, the logo or the colours changed.
"""

import os
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
LANDING = ROOT / "static" / "landing"
ICONS = {"apple-touch-icon": 180, "icon-192": 192, "icon-512": 512}
STYLES = ("tokens", "landing", "picture")
LIMIT = 150_000  # bytes of a card: above it some networks show none

CARD = """<!doctype html><meta charset="utf-8"><style>{css}
  body {{ display: grid; grid-template-columns: 1fr 436px; align-items: center; gap: 56px;
    width: 1200px; height: 630px; min-height: 0; padding: 0 64px 0 72px; overflow: hidden;
    background: #e3ece4 }}
  .words {{ display: grid; gap: 28px }}
  .brand {{ font-size: 26px }}
  .brand svg {{ width: 44px }}
  h1 {{ font-size: 62px }}
  .kicker {{ font-size: 20px }}
  .plain {{ display: grid }}
  .mock {{ width: 436px; font-size: 17px }}
</style><div class="words"><span class="brand">{logo}{name}</span><h1>{headline}</h1>
<p class="kicker">{kicker}</p></div>{picture}"""

# The logo on its own ground, inside the circle that a phone may cut out.
ICON = """<!doctype html><style>
  body {{ display: grid; place-items: center; height: 100vh; margin: 0; background: #fbfaf7 }}
  svg {{ width: 58vw }}
</style>{logo}"""


def main() -> None:
    names = ("chromium", "chromium-browser", "google-chrome")
    binary = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=binary, args=["--no-sandbox"])
        page = browser.new_page(color_scheme="light")
        draw(page, card(), "card", 1200, 630)
        icon = ICON.format(logo=(LANDING / "logo.svg").read_text())
        for name, size in ICONS.items():
            draw(page, icon, name, size, size)
        browser.close()


def draw(page: Page, markup: str, name: str, width: int, height: int) -> None:
    page.set_viewport_size({"width": width, "height": height})
    page.set_content(markup)
    path = LANDING / f"{name}.png"
    page.screenshot(path=path)
    size = path.stat().st_size
    if size > LIMIT:
        sys.exit(f"{path.name} has {size} bytes; a card may have {LIMIT}.")
    sys.stdout.write(f"{path.relative_to(ROOT)}: {size} bytes\n")


def card() -> str:
    """The card as a page of its own: the hero's words beside the picture of the chat."""
    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "salesagent.settings")
    import django

    django.setup()
    from django.template.loader import render_to_string

    from landing import content

    return CARD.format(
        css="".join((LANDING / f"{name}.css").read_text() for name in STYLES),
        logo=(LANDING / "logo.svg").read_text(),
        name=content.NAME,
        headline=content.HEADLINE,
        kicker=content.KICKER,
        picture=mock(render_to_string("landing/picture.html")),
    )


def mock(picture: str) -> str:
    """The chat without the coloured ground around it, which would double the bytes."""
    return picture.replace('class="picture"', 'class="plain"')


if __name__ == "__main__":
    main()
