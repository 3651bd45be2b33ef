"""What the loader knows of each site, and what of its JSON goes out."""

from typing import Any

import pytest
from django.db import DatabaseError

from chat import looks, personas
from chat.models import Site
from tests.base import make_site

pytestmark = pytest.mark.django_db

GREETS = {"on": True, "after": 5}


@pytest.fixture(autouse=True)
def fresh() -> None:
    looks.forget()


# As JavaScript has it: h = Math.imul(h ^ code, 16777619) for each, >>> 0, in base 36.
@pytest.mark.parametrize(
    ("key", "hashed"), [("demo", "1cjx0s6"), ("acme", "jf3zjj"), ("a", "1r9wi7g"), ("", "ztntfp")]
)
def test_the_hash_is_the_loaders(key: str, hashed: str) -> None:
    assert looks.hashed(key) == hashed


def test_a_site_as_it_comes_is_not_listed() -> None:
    make_site()
    make_site("two", theme={"accent": looks.ACCENT, "side": "right", "radius": 8})
    assert looks.looks() == {}


def test_what_differs_is_listed_by_hash() -> None:
    make_site("left", theme={"side": "left"})
    make_site("red", theme={"accent": "#AA0000"})
    make_site("greets", greets=GREETS)
    make_site("silent", greets=GREETS, greeting="")
    make_site("gone", theme={"side": "left"}, enabled=False)
    assert looks.looks() == {
        looks.hashed("left"): ["", "left", 0],
        looks.hashed("red"): ["#aa0000", "", 0],
        looks.hashed("greets"): ["", "", 1],
    }


def test_a_personas_own_greeting_greets_too(django_assert_num_queries: Any) -> None:
    site = make_site("silent", greets=GREETS, greeting="")
    assert looks.looks() == {}
    version = personas.save_version(site.persona, greeting="{agent} says hi.")
    personas.publish(version)
    with django_assert_num_queries(1):
        assert looks.looks() == {looks.hashed("silent"): ["", "", 1]}
    told = looks.greeting(site, version)
    assert told is not None
    assert told["text"] == "Robin says hi."


def test_it_is_read_once_and_anew_after_a_save(django_assert_num_queries: Any) -> None:
    site = make_site(theme={"side": "left"})
    with django_assert_num_queries(1):
        looks.looks()
        looks.looks()
    site.theme = {}
    site.save()
    assert looks.looks() == {}
    Site.objects.update(theme={"side": "left"})  # as another process would
    assert looks.looks() == {}


def test_it_grows_old(monkeypatch: pytest.MonkeyPatch) -> None:
    make_site()
    assert looks.looks() == {}
    Site.objects.update(theme={"side": "left"})
    monkeypatch.setattr(looks, "FRESH", 0.0)
    looks.forget()
    assert looks.looks()
    Site.objects.update(theme={})
    assert looks.looks() == {}


def test_while_the_database_is_away_the_last_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    make_site(theme={"side": "left"})
    known = looks.looks()
    looks.forget()

    def away() -> None:
        raise DatabaseError

    monkeypatch.setattr(looks, "_read", away)
    assert looks.looks() == known


@pytest.mark.parametrize(
    ("theme", "shown"),
    [
        ({"accent": "#7C3AED", "more": 1}, {"accent": "#7c3aed"}),
        ({"accent": "red; } body {"}, {}),
        ({"side": "top", "scheme": "sepia", "radius": "8"}, {}),
        ({"radius": 29}, {}),
        ({"radius": True}, {}),
        ({"radius": 0, "side": "right"}, {"radius": 0, "side": "right"}),
        ([], {}),
        (None, {}),
    ],
)
def test_only_what_is_sound_goes_out(theme: Any, shown: dict[str, Any]) -> None:
    assert looks.theme(Site(theme=theme)) == shown


@pytest.mark.parametrize("rules", [{}, [], None, {**GREETS, "on": False}, {"on": True}])
def test_without_rules_or_words_nothing_is_said(rules: Any) -> None:
    assert looks.greeting(Site(greets=rules), None) is None


def test_broken_rules_are_left_out() -> None:
    rules = {"on": True, "text": "Hi", "after": "5", "scroll": 101, "pages": [1, "/a"], "exit": 1}
    found = looks.greeting(Site(greets=rules), None)
    assert found == {
        "text": "Hi",
        "agent": {"name": "Sales assistant", "avatar": ""},
        "pages": ["/a"],
    }
