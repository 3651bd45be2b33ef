"""What staff take along as CSV: all that they may see, nothing else, and no formula."""

import csv
import io
import json
import re
from typing import Any
from unicodedata import category

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from chat.admin import exports
from chat.admin.exports import cell
from chat.models import Conversation, Lead, Site
from tests.admin.desk import talk
from tests.hostile import KINDS, TEXTS

SIGNS = "=+-@＝＋－＠"
UNSEEN = "\xad\u200b\u200c\u200d\u200e\u200f\u202e\u2060\ufe0f\ufeff"


def taken(client: Client, model: str, *pks: Any, action: str = "download_csv") -> Any:
    path = reverse(f"admin:chat_{model}_changelist")
    return client.post(path, {"action": action, "_selected_action": [*map(str, pks)]})


def table(response: Any) -> list[dict[str, str]]:
    assert response.status_code == 200
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert "no-store" in response["Cache-Control"]
    text = response.getvalue().decode()
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


def seen(text: str) -> str:
    """Without what is not seen, which a program may take away at the beginning."""
    return "".join(c for c in text if not (c.isspace() or c in UNSEEN or category(c) == "Cc"))


def parts(text: str) -> list[str]:
    """What a program may take for cells, whatever it parts them at."""
    return re.split(r"[\r\n\t;,|\"]", text)


def is_harmless(text: str) -> bool:
    return not any(seen(part).startswith(tuple(SIGNS)) for part in parts(text))


# --- No formula -----------------------------------------------------------------------------------


def test_the_corpus_holds_formulas() -> None:
    assert sum(not is_harmless(text) for text in KINDS["formula"]) == len(KINDS["formula"]) - 1


@pytest.mark.parametrize("text", TEXTS)
def test_no_cell_is_a_formula_and_none_loses_a_letter(text: str) -> None:
    kept = cell(text)
    assert is_harmless(kept)
    assert kept.replace("'", "") == re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f]", " ", text).replace(
        "'", ""
    )


@given(st.text() | st.text("=+-@＝ \t\n\r;,|\"'\u200b\ufeff\u00a0\x00a1"))
def test_no_text_at_all_makes_a_formula(text: str) -> None:
    assert is_harmless(cell(text))


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("a-b", "a-b"),
        ("Ada <ada@x.example>", "Ada <ada@x.example>"),
        ("1 + 1 = 2", "1 + 1 = 2"),
        ("+49 171 2345", "'+49 171 2345"),
        ("-", "'-"),
        ("é\nü", "é\nü"),
        (None, ""),
        (0, "0"),
        (-1, "'-1"),
    ],
)
def test_what_is_no_formula_stays(value: object, kept: str) -> None:
    assert cell(value) == kept


def test_a_cell_fits_into_a_spreadsheet() -> None:
    assert len(cell("=" + "\U0001f600" * 40_000).encode("utf-16-le")) // 2 <= 32_767


@pytest.mark.django_db
def test_every_field_of_a_visitor_is_harmless_and_whole(staff: Client, site: Site) -> None:
    texts = [text.replace("\x00", "") for text in TEXTS]
    for text in texts:
        row = talk(site, text)
        Conversation.objects.filter(pk=row.pk).update(
            page_url=text, page_title=text, referrer=text, locale=text[:35], campaign=text[:200]
        )
        fields = {"name": text[:120], "phone": text[:40], "company": text[:120], "email": "@"}
        Lead.objects.create(conversation=row, site=site, note=text, words=text, **fields)
    leads = table(taken(staff, "lead", *Lead.objects.values_list("pk", flat=True)))
    talks = table(taken(staff, "conversation", *Conversation.objects.values_list("pk", flat=True)))
    assert len(leads) == len(talks) == len(texts)
    for row in (*leads, *talks):
        assert all(is_harmless(value) for value in row.values()), row
    assert {row["note"] for row in leads} == {cell(text) for text in texts}
    assert {row["page"] for row in talks} == {cell(text) for text in texts}
    assert {row["e-mail"] for row in leads} == {"'@"}
    for row in talks:
        assert row["transcript"].startswith("agent: Hello! What are you looking for?\nvisitor: ")


# --- Who may ------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_staff_take_what_they_chose_and_the_log_says_how_much(staff: Client, site: Site) -> None:
    rows = [talk(site, f"line {number}") for number in range(3)]
    response = taken(staff, "conversation", rows[0].pk, rows[1].pk)
    assert {row["conversation"] for row in table(response)} == {str(rows[0].pk), str(rows[1].pk)}
    assert re.fullmatch(
        r'attachment; filename="conversations-[\d-]+\.csv"', response["Content-Disposition"]
    )
    noted = LogEntry.objects.get()
    assert (noted.object_repr, noted.change_message) == ("2 rows", "Downloaded as CSV")
    assert noted.user == User.objects.get(username="vera")
    assert noted.object_id is None
    assert "2 rows" in staff.get(reverse("admin:index")).content.decode()


@pytest.mark.django_db
def test_all_that_a_filter_leaves_can_be_taken(staff: Client, site: Site) -> None:
    for number in range(60):  # more than a page
        talk(site, f"line {number}")
    data = {"action": "download_csv", "_selected_action": ["x"], "select_across": "1"}
    path = reverse("admin:chat_conversation_changelist")
    assert len(table(staff.post(path, data))) == 60
    assert len(table(staff.post(f"{path}?q=%22line+7%22", data))) == 1


@pytest.mark.django_db
def test_too_many_are_refused_in_words(
    staff: Client, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "MOST", 1)
    rows = [talk(site, "a"), talk(site, "b")]
    response = taken(staff, "conversation", *(row.pk for row in rows))
    assert response.status_code == 302
    assert "At most 1 rows" in staff.get(response["Location"]).content.decode()
    assert not LogEntry.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("model", ["lead", "conversation"])
def test_who_may_not_see_may_not_take(site: Site, model: str) -> None:
    row = talk(site, "a secret")
    lead = Lead.objects.create(conversation=row, site=site, name="Ada")
    other = {"lead": "conversation", "conversation": "lead"}[model]
    user = User.objects.create_user("half", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename=f"view_{other}"))
    half = Client()
    half.force_login(user)
    pk = lead.pk if model == "lead" else row.pk
    assert taken(half, model, pk).status_code == 403
    assert "location" in {name.lower() for name in taken(Client(), model, pk).headers}
    assert not LogEntry.objects.exists()


@pytest.mark.django_db
def test_a_long_list_takes_few_queries(
    staff: Client, site: Site, django_assert_max_num_queries: Any
) -> None:
    for number in range(12):
        row = talk(site, f"line {number}")
        Lead.objects.create(conversation=row, site=site, name="Ada")
    for model in (Lead, Conversation):
        pks = model.objects.values_list("pk", flat=True)
        with django_assert_max_num_queries(24):
            taken(staff, model._meta.model_name, *pks)


@pytest.mark.django_db
def test_lines_of_json_hold_values_as_they_are(staff: Client, site: Site) -> None:
    row = talk(site, '=cmd|"x"\nSecond line, {"a": 1}')
    response = taken(staff, "conversation", row.pk, action="download_lines")
    assert response["Content-Type"] == "application/jsonl"
    assert response.streaming
    [line] = response.getvalue().decode().splitlines()
    told = json.loads(line)
    assert '=cmd|"x"' in told["transcript"]
    assert (told["state"], told["messages"]) == ("open", row.last_seq)
    assert LogEntry.objects.get().change_message == "Downloaded as JSON lines"


@pytest.mark.django_db
def test_a_download_takes_a_right_of_its_own(site: Site) -> None:
    row = talk(site, "hello")
    reader = User.objects.create_user("reader", is_staff=True)
    reader.user_permissions.add(Permission.objects.get(codename="view_conversation"))
    client = Client()
    client.force_login(reader)
    for action in ("download_csv", "download_lines"):
        response = taken(client, "conversation", row.pk, action=action)
        assert not response.streaming
        assert "Content-Disposition" not in response
    reader.user_permissions.add(Permission.objects.get(codename="export_conversation"))
    assert "hello" in taken(client, "conversation", row.pk).getvalue().decode()
