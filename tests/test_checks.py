"""What is missing or dangerous is named, with the variable and how to mend it."""

import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import call_command
from pytest_django import DjangoAssertNumQueries, Settings

from chat import checks
from chat.models import Persona, PersonaVersion, Site
from tests.conftest import MakeStack
from tests.servers import ROOT, clean_env

PRODUCTION = {
    "SECRET_KEY": "9rT-several-different-letters-and-long-enough-for-every-check_0123456789",
    "ALLOWED_HOSTS": "chat.example.com",
    "PUBLIC_URL": "https://chat.example.com",
    "TRUSTED_PROXY_HOPS": "1",
    "SECURE_SSL_REDIRECT": "on",
    "DATABASE_URL": "postgres://user:password@db.example.com:5432/salesagent",
    "REDIS_URL": "redis://redis.example.com:6379/0",
    "EMAIL_URL": "smtp+tls://user:password@mail.example.com:587",
    "OPENAI_API_KEY": "not-a-real-key",
    "CHAT_BACKEND": "",
}


def deploy_check(**changes: str) -> "subprocess.CompletedProcess[str]":
    """`manage.py check --deploy` in a production environment with something changed."""
    return subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT,
        env=clean_env(**{**PRODUCTION, **changes}),
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_whole_production_environment_is_clean(collected: None) -> None:
    done = deploy_check()
    assert done.returncode == 0, done.stderr


def test_static_files_that_were_not_collected_are_named(settings: Settings, tmp_path: Path) -> None:
    settings.STATIC_ROOT = tmp_path
    assert "chat.W010" in {message.id for message in checks.production()}


def test_a_deployment_that_answers_to_every_name_is_warned(settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["chat.example.com"]
    assert "chat.W012" not in {message.id for message in checks.production()}
    settings.ALLOWED_HOSTS = ["chat.example.com", "*"]
    assert "chat.W012" in {message.id for message in checks.production()}


def test_everything_missing_is_named_at_once() -> None:
    done = deploy_check(
        **{name: "" for name in PRODUCTION if name != "DATABASE_URL"}
        | {
            "DATABASE_URL": "sqlite:///none.sqlite3",
            "TRUSTED_PROXY_HOPS": "0",
            "EMAIL_URL": "consolemail://",
        }
    )
    named = [
        "SECRET_KEY",
        "ALLOWED_HOSTS",
        "PUBLIC_URL",
        "TRUSTED_PROXY_HOPS",
        "DATABASE_URL",
        "REDIS_URL",
        "EMAIL_URL",
        "OPENAI_API_KEY",
    ]
    assert done.returncode == 1
    assert [name for name in named if name not in done.stderr] == []


@pytest.mark.parametrize(
    ("setting", "value", "check"),
    [
        ("SECRET_KEY", "django-insecure-of-a-new-project-000000000000000000", "chat.E001"),
        ("SECRET_KEY", "short", "chat.E002"),
        ("SECRET_KEY", "a" * 60, "chat.E002"),
        ("ALLOWED_HOSTS", [], "chat.E003"),
        ("CHAT_BACKEND", "parrot", "chat.E005"),
        ("OPENAI_BASE_URL", "api.example.com/v1", "chat.E007"),
        ("PUBLIC_URL", "chat.example.com", "chat.E008"),
        ("PUBLIC_URL", "https://chat.example.com/path", "chat.E008"),
        ("PUBLIC_URL", "https://[", "chat.E008"),
        ("TRUSTED_PROXY_HOPS", -1, "chat.E009"),
        ("VOICE_BACKEND", "loud", "chat.E010"),
        ("KNOWLEDGE_EMBEDDINGS", "magic", "chat.E011"),
        ("STAFF_TWO_FACTOR", "sometimes", "chat.E025"),
        ("KNOWLEDGE_EMBEDDINGS", "endpoint", "chat.E012"),
        ("REDIS_URL", "localhost:6379", "chat.E013"),
        ("CHAT_REDIS_CERTIFICATE", "nobody", "chat.E014"),
        ("CHAT_PROVIDER", "parrot", "chat.E015"),
        ("CHAT_PRICES", '{"gpt-6-luna": 3}', "chat.E016"),
        ("CHAT_SCRIPT", "/nowhere/script.json", "chat.E017"),
        ("CHAT_LEASE_RENEWAL", 15.0, "chat.E018"),
        ("CHAT_RATE_VISITOR", "often", "chat.E019"),
        ("CHAT_RATE_FRAMES", "", "chat.E019"),
        ("CHAT_SOCKETS", 0, "chat.E020"),
        ("CHAT_BUDGET_VISITOR", -1.0, "chat.E021"),
        ("CHAT_BUDGET_WHOLE", float("nan"), "chat.E021"),
        ("CHAT_BUDGET_SITE", float("inf"), "chat.E021"),
        ("CHAT_BUDGET_LOOK", 30.0, "chat.E022"),
    ],
)
def test_a_dangerous_setting_stops_the_start(
    settings: Settings, setting: str, value: object, check: str
) -> None:
    setattr(settings, setting, value)
    (refusal,) = checks.refusals()
    assert refusal.id == check
    assert setting in refusal.msg
    assert refusal.hint


@pytest.mark.parametrize(
    ("model", "prices", "warned"),
    [
        ("gpt-6-luna", "", False),
        ("llama3.2", "", True),
        ("llama3.2", '{"llama3.2": [0, 0, 0]}', False),
    ],
)
def test_a_model_without_a_price_is_named(
    settings: Settings, model: str, prices: str, warned: bool
) -> None:
    settings.CHAT_BACKEND, settings.CHAT_MODEL, settings.CHAT_PRICES = "completions", model, prices
    found = [message for message in checks.production() if message.id == "chat.W011"]
    assert [model in message.msg for message in found] == ([True] if warned else [])


def test_nothing_stops_the_start_of_a_sound_server() -> None:
    assert checks.refusals() == []


def test_two_processes_need_redis(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", "2")
    settings.REDIS_URL = ""
    assert [refusal.id for refusal in checks.refusals()] == ["chat.E004"]


def test_two_processes_with_redis_may_start(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", "2")
    settings.REDIS_URL = "redis://127.0.0.1:6379/0"
    assert checks.refusals() == []


def test_openai_needs_a_key(settings: Settings) -> None:
    settings.CHAT_BACKEND, settings.OPENAI_API_KEY = "completions", ""
    assert [refusal.id for refusal in checks.refusals()] == ["chat.E006"]


def test_a_model_of_your_own_needs_no_key(settings: Settings) -> None:
    settings.CHAT_BACKEND, settings.OPENAI_API_KEY = "completions", ""
    settings.OPENAI_BASE_URL = "http://localhost:11434/v1"
    assert checks.refusals() == []


def test_in_development_a_made_up_key_serves(settings: Settings) -> None:
    settings.DEBUG, settings.SECRET_KEY, settings.ALLOWED_HOSTS = True, "django-insecure-x", []
    assert checks.refusals() == []


def site(*, enabled: bool = True, published: bool = True) -> Site:
    persona = Persona.objects.create(name="Ada")
    if published:
        persona.published = PersonaVersion.objects.create(
            persona=persona, number=1, agent_name="Ada", instructions="Sell."
        )
        persona.save()
    return Site.objects.create(key="shop", name="Shop", persona=persona, enabled=enabled)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("enabled", "published", "warned"),
    [(True, True, False), (False, True, True), (True, False, True)],
)
def test_somebody_must_be_there_to_answer(enabled: bool, published: bool, warned: bool) -> None:
    site(enabled=enabled, published=published)
    found = checks.speaking_site(databases=["default"])
    assert [message.id for message in found] == (["chat.W009"] if warned else [])


@pytest.mark.django_db
def test_rows_are_looked_at_only_when_asked_for(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    with django_assert_num_queries(0):
        assert checks.speaking_site(databases=None) == []


@pytest.mark.django_db
def test_manage_check_asks_the_database(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("check", databases=["default"])
    assert "setup_site" in capsys.readouterr().err


def test_a_server_refuses_to_start_and_says_why(stack: MakeStack) -> None:
    server = stack(servers=0).add(SECRET_KEY="", ALLOWED_HOSTS="")
    assert server.spawn().wait() != 0
    assert "SECRET_KEY is not set" in server.log
    assert "ALLOWED_HOSTS is empty" in server.log
    assert "Traceback" not in server.log


def test_several_processes_without_redis_refuse_to_start(stack: MakeStack) -> None:
    server = stack(servers=0).add(WEB_CONCURRENCY="2")
    server.spawn().wait()
    assert "Set REDIS_URL, or WEB_CONCURRENCY=1." in server.log
