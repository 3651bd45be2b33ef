"""The widget's markdown: it needs a page and no server. Other modules: tests/widget."""

from typing import Any

import pytest
from playwright.sync_api import Page


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("one\n\ntwo", "<p>one</p><p>two</p>"),
        ("one\ntwo", "<p>one<br>two</p>"),
        ("**a** *b* `c*`", "<p><strong>a</strong> <em>b</em> <code>c*</code></p>"),
        ("- a\n- b", "<ul><li>a</li><li>b</li></ul>"),
        ("3. a\n4. b", '<ol start="3"><li>a</li><li>b</li></ol>'),
        ("Prices:\n- a", "<p>Prices:</p><ul><li>a</li></ul>"),
        ("# Big", "<p><strong>Big</strong></p>"),
        ("```\na < b\n```", '<pre tabindex="0"><code>a &lt; b</code></pre>'),
        ("<b onclick=x>", "<p>&lt;b onclick=x&gt;</p>"),
        ("[x](javascript:alert(1))", "<p><span>x</span></p>"),
        ("[x](data:text/html,1)", "<p><span>x</span></p>"),
        ("[x](//evil.example)", "<p><span>x</span></p>"),
        ("snake_case_name 2 * 3 * 4", "<p>snake_case_name 2 * 3 * 4</p>"),
        (r"\*not\*", "<p>*not*</p>"),
    ],
)
def test_markdown(page: Page, text: str, html: str) -> None:
    assert shown(page, text) == html


@pytest.mark.parametrize(
    ("text", "href"),
    [
        ("see https://example.com/a?b=1.", "https://example.com/a?b=1"),
        ("(https://example.com)", "https://example.com"),
        ("**https://example.com/a**", "https://example.com/a"),
        ("[https://example.com](https://example.com)", "https://example.com"),
    ],
)
def test_links(page: Page, text: str, href: str) -> None:
    assert f'<a href="{href}" target="_blank" rel="noopener noreferrer nofollow">' in shown(
        page, text
    )


@pytest.mark.parametrize(
    ("text", "href", "to"),
    [
        ("[w](https://example.com/a_(b))", "https://example.com/a_(b)", "example.com"),
        ("![w](https://example.com/a.png)", "https://example.com/a.png", "example.com"),
        ("[https://good.example](https://evil.example)", "https://evil.example", "evil.example"),
        ("[our page](https://widget.test/a)", "https://widget.test/a", ""),
        ("me@example.com", "mailto:me@example.com", ""),
        ("[call](tel:+31201234567)", "tel:+31201234567", ""),
    ],
)
def test_a_link_with_words_of_its_own_says_where_it_leads(
    page: Page, text: str, href: str, to: str
) -> None:
    where = f' data-to="{to}"' if to else ""
    assert f'<a href="{href}" title="{href}"{where} target="_blank"' in shown(page, text)


@pytest.mark.parametrize("text", ["It **cos", "It **", "It *", "It [cos", "It [cos](htt"])
def test_half_a_mark_is_not_seen_while_it_grows(page: Page, text: str) -> None:
    html = shown(page, text, growing=True)
    assert not set("*[]()") & set(html)


def test_blocks_that_stay_keep_their_nodes(page: Page) -> None:
    assert page.evaluate(
        """async () => {
            const { show } = await import("/markdown.js");
            const target = document.createElement("div");
            show(target, "one\\n\\ntw", true);
            const first = target.firstChild;
            show(target, "one\\n\\ntwo and three", true);
            return first === target.firstChild && target.lastChild.textContent;
        }"""
    ) == ("two and three")


def shown(page: Page, text: str, growing: bool = False) -> Any:
    return page.evaluate(
        """async ([text, growing]) => {
            const { show } = await import("/markdown.js");
            const target = document.createElement("div");
            show(target, text, growing);
            return target.innerHTML;
        }""",
        [text, growing],
    )
