"""Who opens the admin, and the site it is about."""

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from chat.models import Site
from chat.rights import STAFF_GROUP
from tests.base import make_site


@pytest.fixture
def site() -> Site:
    return make_site()


@pytest.fixture
def vera() -> User:
    member = User.objects.create_user("vera", "vera@acme.example", is_staff=True)
    member.groups.add(Group.objects.get(name=STAFF_GROUP))
    return member


@pytest.fixture
def staff(vera: User) -> Client:
    client = Client()
    client.force_login(vera)
    return client


@pytest.fixture
def root(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("root"))
    return client
