from django.urls import URLPattern, path, re_path

from chat import frames, hearing, own, pages, views

urlpatterns: list[URLPattern] = [
    path("widget.js", pages.widget_js),
    path("chat/<slug:key>", pages.chat_page, name="chat"),
    path("demo", pages.demo_page, name="demo"),
    path("api/chat", own.erase),
    path("api/chat/export", own.export),
    path("api/chat/init", views.init),
    path("api/chat/greeting", views.greeting),
    path("api/chat/messages", views.messages),
    path("api/chat/events", frames.events),
    path("api/chat/frames", frames.frames),
    path("api/voice/transcribe", hearing.transcribe),
    path("api/voice/<str:message>", views.speech),
    path("api/voice/<str:message>/<str:n>", views.audio),
    path("api/health", views.health),
    path("metrics", views.figures),
    re_path(r"^api/", views.unknown),
]
