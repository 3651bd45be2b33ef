"""Personas: versions that never change, one of them published, rendered for a site."""

from typing import Any

import pytest

from chat import personas, tokens, views
from chat.models import Persona, Site

pytestmark = pytest.mark.django_db


@pytest.fixture
def persona() -> Persona:
    return personas.create("Mira of Oakline")


@pytest.fixture
def site(persona: Persona) -> Site:
    return Site.objects.create(key="oakline", name="Oakline", persona=persona)


def test_versions_are_numbered_one_after_the_other(persona: Persona) -> None:
    saved = [personas.save_version(persona, instructions=text) for text in ("Sell.", "Listen.")]
    assert [version.number for version in saved] == [1, 2]


def test_the_same_content_makes_no_new_version(persona: Persona) -> None:
    first = personas.save_version(persona, instructions="Sell.", agent_name="Mira")
    again = personas.save_version(persona, instructions="Sell.", note="Nothing new")
    assert again == first
    assert persona.versions.count() == 1


def test_what_is_left_out_stays_as_it_was(persona: Persona) -> None:
    personas.save_version(persona, instructions="Sell.", agent_name="Mira", temperature=0.4)
    newer = personas.save_version(persona, instructions="Listen.")
    assert (newer.agent_name, newer.temperature) == ("Mira", 0.4)


@pytest.mark.parametrize("fields", [{"number": 7}, {"instruction": "Sell."}])
def test_an_unknown_field_is_refused(persona: Persona, fields: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        personas.save_version(persona, **fields)


def test_a_saved_version_does_not_speak_until_it_is_published(persona: Persona, site: Site) -> None:
    version = personas.save_version(persona, instructions="Sell.")
    assert personas.published(site) is None
    personas.publish(version)
    assert personas.published(site) == version


def test_publishing_is_seen_through_a_site_that_was_read_before(site: Site) -> None:
    old = personas.save_version(site.persona, instructions="Sell.")
    personas.publish(old)
    assert personas.published(site) == old
    new = personas.save_version(site.persona, instructions="Listen.")
    personas.publish(new)
    assert personas.published(site) == new


def test_placeholders_are_filled_and_other_braces_stay(persona: Persona, site: Site) -> None:
    text = "{agent} of {company}: {price} {0} {company.secret} {{agent}}"
    version = personas.save_version(persona, agent_name="Mira", instructions=text)
    rendered = personas.instructions(version, site)
    assert rendered == "Mira of Oakline: {price} {0} {company.secret} {Mira}"


def test_a_company_called_like_a_placeholder_stays_what_it_is(persona: Persona, site: Site) -> None:
    site.name = "{agent}"
    version = personas.save_version(persona, agent_name="Mira", instructions="{company}")
    assert personas.instructions(version, site) == "{agent}"


def test_without_a_published_version_the_default_speaks(site: Site) -> None:
    rendered = personas.instructions(None, site)
    assert "Oakline" in rendered
    assert personas.DEFAULT_AGENT in rendered
    assert "{agent}" not in rendered
    assert "{company}" not in rendered


def test_a_version_begins_in_its_own_words_or_in_the_sites(persona: Persona, site: Site) -> None:
    site.greeting, site.suggestions = "Hi, {agent} is away.", ["Prices?"]
    plain = personas.save_version(persona, agent_name="Mira")
    for version in (None, plain):
        assert personas.greeting(version, site) == "Hi, {agent} is away."
        assert personas.suggestions(version, site) == ["Prices?"]
    own = personas.save_version(
        persona, greeting="{agent} of {company} here.", suggestions=["What does {company} make?"]
    )
    assert own.number == 2
    assert personas.greeting(own, site) == "Mira of Oakline here."
    assert personas.suggestions(own, site) == ["What does Oakline make?"]
    back = personas.save_version(persona, greeting=" ", suggestions=[])
    assert personas.greeting(back, site) == "Hi, {agent} is away."


def test_a_visitor_sees_how_the_published_version_begins(site: Site) -> None:
    version = personas.save_version(site.persona, greeting="{company}!", suggestions=["Prices?"])

    def told() -> tuple[str, list[str]]:
        answer = views._opened(site, tokens.fresh(site.key), "")["site"]
        return answer["greeting"], answer["suggestions"]

    assert told() == ("", [])
    personas.publish(version)
    assert told() == ("Oakline!", ["Prices?"])
