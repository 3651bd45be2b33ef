from django.apps import AppConfig
from django.core.signals import request_finished
from django.db.models.signals import post_migrate


class ChatConfig(AppConfig):
    name = "chat"

    def ready(self) -> None:
        from chat import (
            checks,  # noqa: F401  (registers them)
            database,
            knowing,
            rights,
        )
        from knowledge import embeddings

        post_migrate.connect(rights.grant, dispatch_uid="chat.rights")
        request_finished.connect(database.close_after_request, dispatch_uid="chat.database")
        embeddings.paying = knowing.pays
