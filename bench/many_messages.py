"""What a conversation of a thousand messages costs in the browser.

    python -m bench.many_messages [messages]

Shows the widget's list of messages, as it lies in the repository, in Chromium (CHROMIUM=/path/to/it
where it is not on the path): the longest frame in which some of the first fifty are drawn, and of
the last page of fifty above all others; what one more piece of a streaming reply costs in script
and in layout; and how many frames come late (over 25 ms) while the list is scrolled from one end to
the other, beside as many bare paragraphs in its place: the floor of this machine.
"""

import json
import os
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Route, sync_playwright

from tests.servers import ROOT

MEASURE = """async (count) => {
    const { MessageList } = await import("/message-list.js");
    const { Transcript } = await import("/transcript.js");
    const { words } = await import("/strings/en.js");
    const sheets = await Promise.all(["chat-widget", "messages"].map(async (name) =>
        new CSSStyleSheet().replace(await (await fetch(`/${name}.css`)).text())));
    const host = document.body.appendChild(document.createElement("div"));
    const root = host.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = sheets;
    const nothing = () => {};
    const actions = { earlier: nothing, resend: nothing, regenerate: nothing, feedback: nothing };
    const list = new MessageList({ words, lang: "en", dir: "ltr" }, actions);
    const look = { className: "panel", open: true };
    const panel = Object.assign(document.createElement("dialog"), look);
    panel.append(list.element);
    root.append(panel);

    const transcript = new Transcript();
    const start = Date.now() - count * 60_000;
    const message = (seq, more = {}) => ({ id: `m${seq}`, seq, rev: seq, attempt: 1,
        role: seq % 2 ? "agent" : "visitor", state: "complete",
        text: `Message **${seq}**. ${"Some words of it. ".repeat(seq % 9)}`,
        created: new Date(start + seq * 60_000).toISOString(), ...more });
    const messages = Array.from({ length: count }, (_, at) => message(at + 1));
    const conversation = { id: "c", epoch: 1, rev: count, state: "open" };
    const draw = () => list.update({ messages: transcript.visible(), pending: [], greeting: "",
        agent: "Mira", typing: "", earlier: false, now: transcript.now() });
    const laid = () => list.scroller.scrollHeight;
    const timed = (work) => {
        const from = performance.now();
        work();
        return performance.now() - from;
    };
    const frame = () => new Promise(requestAnimationFrame);

    const page = () => messages.splice(-50);
    transcript.load({ conversation, messages: page(), earlier: true });
    const whole = async () => {
        const longest = { script: 0, layout: 0 };
        for (let more = true; more; ) {
            longest.script = Math.max(longest.script, timed(() => (more = draw())));
            longest.layout = Math.max(longest.layout, timed(laid));
            await frame();
        }
        return longest;
    };
    const first = await whole();
    list.toEnd();
    await frame(); await frame();
    let last = first;
    while (messages.length) {
        list.scroller.scrollTop = 0;
        await frame(); await frame();
        transcript.prepend({ messages: page(), earlier: messages.length > 0 });
        last = await whole();
    }
    list.toEnd();
    await frame(); await frame();

    const id = `m${count + 1}`;
    transcript.apply({ type: "message",
        message: message(count + 1, { role: "agent", state: "streaming", text: "" }) });
    const script = [], layout = [];
    for (let n = 0, off = 0; n < 300; n++) {
        const text = `word${n}${n % 40 ? " " : "\\n\\n"}`;
        script.push(timed(() => {
            transcript.apply({ type: "delta", message: id, attempt: 1, off, text });
            draw();
        }));
        layout.push(timed(laid));
        off += text.length;
        if (n % 3 === 0) await frame();
    }

    const scrolled = async (scroller) => {
        const frames = [];
        scroller.scrollTop = scroller.scrollHeight;
        await frame(); await frame();
        let before = await frame();
        while (scroller.scrollTop > 0) {
            scroller.scrollTop -= 90;
            const now = await frame();
            frames.push(now - before);
            before = now;
        }
        return { frames: frames.length, late: frames.filter((time) => time > 25).length };
    };
    const widget = await scrolled(list.scroller);
    const nodes = panel.querySelectorAll("*").length;
    const bare = document.createElement("div");
    bare.className = "messages";
    for (const { text } of transcript.visible()) {
        bare.append(Object.assign(document.createElement("p"), { textContent: text }));
    }
    panel.replaceChildren(bare);
    const floor = await scrolled(bare);
    const middle = (times) => times.sort((a, b) => a - b)[times.length >> 1];
    const high = (times) => times.sort((a, b) => a - b)[Math.floor(times.length * 0.95)];
    return {
        first, last, script: [middle(script), high(script)], layout: [middle(layout), high(layout)],
        widget, floor, nodes,
    };
}"""


def measure(count: int) -> dict[str, object]:
    """The figures, in milliseconds; pairs are the median and the 95th percentile."""
    binary = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    site = "https://widget.test/"

    def serve(route: Route) -> None:
        name = route.request.url.removeprefix(site)
        if not name:
            route.fulfill(body="<!doctype html>", content_type="text/html")
            return
        kind = "text/css" if name.endswith("css") else "text/javascript"
        route.fulfill(path=Path(ROOT, "static", "widget", name), content_type=kind)

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=binary, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.route(f"{site}**", serve)
        page.goto(site)
        figures: dict[str, object] = page.evaluate(MEASURE, count)
        browser.close()
    return figures


def main() -> None:
    for count in [int(n) for n in sys.argv[1:]] or [50, 1000]:
        print(count, json.dumps(measure(count)))


if __name__ == "__main__":
    main()
