"""Plain pages."""

from django.urls import path

from project import documents, views

urlpatterns = [
    path("live/", views.live),
    path("login/", views.log_in),
    path("whoami/", views.whoami),
    path("upload/", views.upload),
    path("download/<int:size>/", views.download),
    path("ticks/", views.ticks),
    path("block/<int:seconds>/", views.block),
    path("where/", views.where),
    path("echo/", documents.echo),
    path("echo/<str:name>", documents.echo),
    path("document/", documents.document),
    path("events/", documents.events),
    path("nothing/", documents.nothing),
    path("page/", documents.page),
]
