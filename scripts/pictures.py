"""Makes all pictures of README and landing page, from the product at work (docs/landing.md).

A server of its own answers, on a database of its own with the demo in it; Chromium looks on.
"""

import base64
import io
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import unfold
from film import Film, Gate
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright
from tools import chromium

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from landing import content  # noqa: E402
from tests.servers import STAFF_PASSWORD, Databases, Stack, collect_static  # noqa: E402

LANDING = ROOT / "static" / "landing"
README = ROOT / "docs" / "pictures"
ICONS = {"apple-touch-icon": 180, "icon-192": 192, "icon-512": 512}
SUGGESTION = "What do your bikes cost?"  # once this is there, the chat is
READ = "school run"  # words of the conversation that staff read
DESKTOP, TABLET = {"width": 1280, "height": 800}, {"width": 834, "height": 1112}
LIMITS = {  # bytes; above that of the card some networks show none
    "card.png": 150_000,
    "chat.avif": 250_000,
    "chat-dark.avif": 250_000,
    "talk.webp": 1_500_000,
}

WEIGHTS = {400: "Regular", 500: "Medium", 600: "SemiBold", 700: "Bold"}
FETCH_FONTS = """() => Promise.all(
  [400, 500, 600, 700].map((weight) => document.fonts.load(`${weight} 16px Inter`)))"""
# The panel alone, with square corners: the page that shows it rounds them.
SET = """sales-chat {
  --sales-chat-width: 400px; --sales-chat-height: 560px;
  --sales-chat-corner: 0; --sales-chat-shadow: none }"""

CARD = """
  body > :not(.card) { display: none }
  .card { position: fixed; inset: 0; display: grid; grid-template-columns: 1fr 404px;
    align-items: center; gap: 60px; padding: 0 64px 0 72px; overflow: hidden; background: #e3ece4 }
  .card .words { display: grid; gap: 28px }
  .card .brand { font-size: 26px }
  .card .brand img { width: 44px; height: 44px }
  .card h1 { font-size: 64px }
  .card .kicker { font-size: 20px }
  .card .shot { width: 404px; height: auto; border-radius: 20px; box-shadow: 0 24px 56px #0b3b2c38 }
"""
# The hero's own words beside the picture of the chat.
LAY_CARD = """picture => {
  const card = document.createElement("div");
  const words = document.createElement("div");
  const shot = document.createElement("img");
  Object.assign(shot, { src: picture, className: "shot" });
  card.className = "card";
  words.className = "words";
  for (const part of [".brand", ".hero h1", ".hero .kicker"])
    words.append(document.querySelector(part).cloneNode(true));
  card.append(words, shot);
  document.body.append(card);
  return shot.decode();
}"""

# The logo on its own ground, inside the circle that a phone may cut out.
ICON = """<!doctype html><style>
  body {{ display: grid; place-items: center; height: 100vh; margin: 0; background: #fbfaf7 }}
  svg {{ width: 58vw }}
</style>{logo}"""

# Somebody's hand, on a page that shows none.
POINTER = """() => {
  const hand = document.createElement("div");
  hand.className = "hand";
  document.body.append(hand);
  addEventListener("mousemove", ({ clientX: x, clientY: y }) => {
    hand.style.translate = `${x}px ${y}px`;
  });
}"""
MIDDLE = """it => {
  const { x, y, width, height } = it.getBoundingClientRect();
  return [x + width / 2, y + height / 2];
}"""
POINTED = """.hand {
  position: fixed; inset: 0 auto auto 0; z-index: 2147483647; width: 22px; height: 26px;
  background: #111; pointer-events: none;
  clip-path: polygon(4% 0, 4% 76%, 24% 60%, 40% 96%, 56% 88%, 42% 54%, 72% 54%) }"""


def main() -> None:
    with sync_playwright() as playwright:
        say("Starting Chromium ...")
        browser = playwright.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        )
        icons(browser)
        with serving() as url:
            admin(browser, url)  # first: the talks to come would be seen there too
            for scheme, name in (("light", "chat"), ("dark", "chat-dark")):
                hero(browser, url, scheme, LANDING / f"{name}.avif")
            card(browser, url)
        with serving(busy=True) as url:
            desk(browser, url)
        with serving() as url:  # once more: a server serves the pictures that it started with
            talk(browser, url)
            page_with_chat(browser, url)
        browser.close()
    check_sizes()


def check_sizes() -> None:
    for path in (*LANDING.iterdir(), *README.iterdir()):
        of_desk = 120_000 if path.name.startswith("desk-") else None
        size, limit = path.stat().st_size, LIMITS.get(path.name, of_desk)
        if limit and size > limit:
            sys.exit(f"{path.relative_to(ROOT)} has {size} bytes; it may have {limit}.")


def embedded(path: Path, kind: str) -> str:
    """A file as an address that holds it."""
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


@cache
def dress() -> str:
    """The admin's own typeface, so that no picture depends on what this machine has installed."""
    fonts = Path(unfold.__file__).parent / "static" / "unfold" / "fonts" / "inter"
    faces = [
        f"@font-face {{ font-family: Inter; font-weight: {weight}; "
        f"src: url({embedded(fonts / f'Inter-{name}.woff2', 'font/woff2')}) }}"
        for weight, name in WEIGHTS.items()
    ]
    return "".join([*faces, ":root, sales-chat { --sales-chat-font: Inter, sans-serif }"])


@contextmanager
def serving(busy: bool = False) -> Iterator[str]:
    """The address of the product with its demo, answered by the guided seller.

    `busy`: a fortnight of talks lies behind it.
    """
    with tempfile.TemporaryDirectory(prefix="pictures-") as name:
        folder = Path(name)
        say("Making a database with the demo ...")
        collect_static()
        with Databases(folder, None).fresh("sqlite") as database:
            stack = Stack(folder, database, None, fast=False, env={"CHAT_BACKEND": "guided"})
            if busy:
                stack.manage("shell", "-c", (ROOT / "scripts" / "busy_desk.py").read_text())
            say("Starting the server ...")
            try:
                yield stack.start().server.url
            finally:
                stack.close()


def blank(browser: Browser, **options: Any) -> Page:
    size = {"width": 1280, "height": 800}
    page = browser.new_page(
        bypass_csp=True,  # for the styles below
        service_workers="block",
        **{"viewport": size, "locale": "en-GB", **options},
    )
    page.set_default_timeout(20_000)
    return page


def visit(page: Page, url: str, style: str = "") -> None:
    """The page at `url`, loaded and in the pictures' typeface."""
    page.goto(url)
    page.add_style_tag(content=dress() + style)
    page.evaluate(FETCH_FONTS)
    page.locator("sales-chat .launcher").wait_for(state="attached")


def open_chat(page: Page) -> Locator:
    page.locator("sales-chat .launcher").click()
    panel = page.locator("sales-chat .panel")
    panel.get_by_role("button", name=SUGGESTION).wait_for()
    return panel


def icons(browser: Browser) -> None:
    page = blank(browser)
    for name, size in ICONS.items():
        page.set_viewport_size({"width": size, "height": size})
        page.set_content(ICON.format(logo=(LANDING / "logo.svg").read_text()))
        page.screenshot(path=LANDING / f"{name}.png")
        made(LANDING / f"{name}.png")
    page.close()


def hero(browser: Browser, url: str, scheme: str, path: Path) -> None:
    """The panel while it is talked to, as a film and as a still of its end."""
    say(f"Talking to the agent for the landing page, {scheme} ...")
    page = blank(browser, color_scheme=scheme, device_scale_factor=2)
    gate = Gate(page)
    visit(page, url, SET)
    panel = open_chat(page)
    film = Film(page, gate, panel)
    film.show(1200)
    for question in content.PICTURE:
        film.say(panel.locator("textarea"), question)
        film.hold(1800)
    film.hold(1400)
    still = path.with_stem(path.stem.replace("chat", "chat-still"))
    film.still(still)
    made(still)
    film.save(path, quality=68)
    made(path, f", {film.seconds:.1f} s")
    page.close()


def card(browser: Browser, url: str) -> None:
    """What a link to the landing page shows elsewhere."""
    page = blank(browser, viewport={"width": 1200, "height": 630})
    visit(page, url, CARD)
    page.evaluate(LAY_CARD, embedded(LANDING / "chat-still.avif", "image/avif"))
    page.screenshot(path=LANDING / "card.png")
    made(LANDING / "card.png")
    page.close()


def talk(browser: Browser, url: str) -> None:
    """The README's film: somebody opens the chat, asks, and leaves an address."""
    say("Talking to the agent for the README ...")
    page = blank(browser, viewport={"width": 1000, "height": 640}, device_scale_factor=1.5)
    gate = Gate(page)
    visit(page, url, POINTED + "sales-chat { --sales-chat-height: 520px }")
    page.locator(".motion:not([hidden])").dispatch_event("click")  # it moves as it likes
    page.wait_for_timeout(500)
    film = Film(page, gate)
    point(page, film)
    panel = page.locator("sales-chat .panel")
    panel.get_by_role("button", name=SUGGESTION).wait_for()
    film.show(60, 6)
    film.hold(700)
    for line in content.TALK:
        film.say(panel.locator("textarea"), line)
        film.hold(1300)
    film.hold(1500)
    film.save(README / "talk.webp", quality=80)
    made(README / "talk.webp", f", {film.seconds:.1f} s")
    page.close()


def point(page: Page, film: Film) -> None:
    """A hand moves to the launcher and presses it."""
    x, y = page.locator("sales-chat .launcher").evaluate(MIDDLE)
    page.evaluate(POINTER)
    for n in range(9):
        away = (1 - n / 8) ** 2
        page.mouse.move(x - 420 * away, y - 160 * away)
        film.show(60)
    page.mouse.down()
    film.show(120)
    page.mouse.up()


def page_with_chat(browser: Browser, url: str) -> None:
    page = blank(browser, device_scale_factor=1.5)
    visit(page, url, "sales-chat { --sales-chat-height: 640px }")
    panel = open_chat(page)
    for asked, question in enumerate(content.PICTURE):
        panel.locator("textarea").fill(question)
        panel.locator("textarea").press("Enter")
        answered(panel, asked + 1)
    shoot(page, README / "chat.png")
    page.close()


def answered(panel: Locator, times: int) -> None:
    """Waits for that many whole answers."""
    done = panel.locator(
        '.row[data-role="visitor"] + .row[data-role="agent"][data-state="complete"]'
    )
    expect(done).to_have_count(times, timeout=20_000)


def admin(browser: Browser, url: str) -> None:
    """A past conversation as staff read it."""
    page = signed_in(browser, url, viewport={"width": 1280, "height": 860})
    page.goto(f"{url}/admin/chat/conversation/?q={READ}")
    page.locator("#result_list tbody a").first.click()
    page.get_by_text("school run").wait_for()
    shoot(page, README / "admin.png")
    page.close()


def desk(browser: Browser, url: str) -> None:
    """The pages where staff spend the day: on a desk and on a tablet, in light and dark."""
    wide = signed_in(browser, url, viewport=DESKTOP)
    dark = signed_in(browser, url, viewport=DESKTOP, color_scheme="dark")
    tablet = signed_in(browser, url, viewport=TABLET)
    night = signed_in(browser, url, viewport=TABLET, color_scheme="dark")
    for page, path, name in (
        (wide, "", "home"),
        (night, "", "home-tablet-dark"),
        (dark, "chat/conversation/", "list-dark"),
        (wide, "chat/lead/", "leads"),
    ):
        page.goto(f"{url}/admin/{path}")
        shoot(page, README / f"desk-{name}.webp")
    try_out(tablet, url)
    shoot(tablet, README / "desk-persona-tablet.webp")
    take_over(browser, url, wide)
    shoot(wide, README / "desk-talk.webp")
    night.goto(wide.url)
    shoot(night, README / "desk-talk-tablet-dark.webp")
    for page in (wide, dark, tablet, night):
        page.close()


def try_out(page: Page, url: str) -> None:
    """The draft of the demo's persona answers beside its form."""
    page.goto(f"{url}/admin/chat/persona/")
    page.locator("#result_list tbody a").first.click()
    page.fill("#try-words", content.PICTURE[0])
    page.press("#try-words", "Enter")
    page.locator("#try-lines .desk-small", has_text="ms").wait_for()
    page.locator("#workbench").evaluate("it => it.scrollIntoView({ block: 'center' })")


def take_over(browser: Browser, url: str, staff: Page) -> None:
    """A visitor asks, and Jule from the team answers in place of the agent."""
    visitor = blank(browser)
    visit(visitor, f"{url}/demo")
    panel = open_chat(visitor)
    field = panel.locator("textarea")
    field.fill(content.PICTURE[0])
    field.press("Enter")
    answered(panel, 1)
    staff.goto(f"{url}/admin/chat/conversation/")
    staff.locator("#result_list tbody a").first.click()
    staff.get_by_role("button", name="Take over", exact=True).click()
    field.fill("We are a day care and need four. Could we try one here, on Tuesday?")
    field.press("Enter")
    staff.locator(".desk-line[data-role=visitor]", has_text="day care").wait_for()
    staff.fill("#desk-field", "With pleasure! I bring one at ten. Which entrance should I come to?")
    staff.press("#desk-field", "Enter")
    field.press_sequentially("The gate on")
    staff.get_by_text("The visitor is typing").wait_for()
    visitor.close()


def signed_in(browser: Browser, url: str, **options: Any) -> Page:
    say("Signing in as staff ...")
    page = blank(browser, device_scale_factor=1.5, **options)
    page.goto(f"{url}/admin/")
    page.get_by_label("Username").fill("staff")
    page.get_by_label("Password").fill(STAFF_PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{url}/admin/")
    return page


def shoot(page: Page, path: Path) -> None:
    """A still; as PNG in few colours: interfaces have no more, and it is a third of the bytes."""
    page.wait_for_timeout(500)
    taken = Image.open(io.BytesIO(page.screenshot(animations="disabled"))).convert("RGB")
    if path.suffix == ".webp":
        taken.save(path, quality=72, method=6)
    else:
        taken.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    made(path)


def made(path: Path, more: str = "") -> None:
    say(f"  {path.relative_to(ROOT)}: {path.stat().st_size:,} bytes{more}")


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
