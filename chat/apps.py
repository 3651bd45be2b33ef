from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ChatConfig(AppConfig):
    name = "chat"

    def ready(self) -> None:
        from chat import (
            checks,  # noqa: F401  (registers them)
            rights,
        )

        post_migrate.connect(rights.grant, dispatch_uid="chat.rights")
