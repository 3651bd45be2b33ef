"""The group of sales staff: made by `migrate`, and just the rights it needs."""

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.db.models.signals import post_migrate

from chat.rights import STAFF_GROUP

pytestmark = pytest.mark.django_db

GIVEN = {
    "chat.view_conversation",
    "chat.change_conversation",  # to close one
    "chat.view_message",
    "chat.view_visitor",
    "chat.view_site",
    "chat.view_lead",
    "chat.change_lead",
    "chat.view_persona",
    "chat.add_persona",
    "chat.change_persona",
    "chat.view_personaversion",
    "chat.add_personaversion",
    "chat.view_spend",
    "chat.view_modelprice",
    "knowledge.view_collection",
    "knowledge.add_collection",
    "knowledge.change_collection",
    "knowledge.view_entry",
    "voice.view_clip",
    "knowledge.add_entry",
    "knowledge.change_entry",
}


def rights() -> set[str]:
    member = User.objects.create_user("vera")
    member.groups.add(Group.objects.get(name=STAFF_GROUP))
    return member.get_all_permissions()


def migrated_again() -> None:
    for config in apps.get_app_configs():
        post_migrate.send(
            config, app_config=config, verbosity=0, interactive=False, using="default", plan=[]
        )


def test_migrate_makes_the_group_with_just_these_rights() -> None:
    assert rights() == GIVEN


def test_a_second_migrate_changes_nothing() -> None:
    migrated_again()
    assert rights() == GIVEN
    assert Group.objects.filter(name=STAFF_GROUP).count() == 1


def test_a_right_that_an_administrator_added_stays() -> None:
    extra = Permission.objects.get(codename="delete_lead")
    Group.objects.get(name=STAFF_GROUP).permissions.add(extra)
    migrated_again()
    assert rights() == GIVEN | {"chat.delete_lead"}


def test_a_deleted_group_comes_back_complete() -> None:
    Group.objects.all().delete()
    migrated_again()
    assert rights() == GIVEN


@pytest.mark.django_db(transaction=True)
def test_a_flushed_database_has_it_again() -> None:
    call_command("flush", interactive=False, verbosity=0)
    assert rights() == GIVEN
