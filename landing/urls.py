from django.urls import URLPattern, path

from landing import views

urlpatterns: list[URLPattern] = [
    path("", views.index, name="landing"),
    path("favicon.ico", views.favicon),
    path("offline", views.offline, name="offline"),
    path("worker.js", views.worker),
    path("robots.txt", views.robots),
    path("sitemap.xml", views.sitemap),
    path("site.webmanifest", views.manifest),
]
