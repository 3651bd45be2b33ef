from django.urls import URLPattern, path, re_path

from chat import views

urlpatterns: list[URLPattern] = [
    path("api/chat/init", views.init),
    path("api/chat/messages", views.messages),
    path("api/voice/<str:message>", views.speech),
    path("api/voice/<str:message>/<str:n>", views.audio),
    path("api/health", views.health),
    re_path(r"^api/", views.unknown),
]
