"""The addresses of the pages and their fragments."""

from django.urls import path

from chat import branches, listing, views

urlpatterns = [
    path("", views.home, name="home"),
    path("c/", views.start, name="start"),
    path("c/<uuid:id>/", views.conversation, name="conversation"),
    path("c/<uuid:id>/earlier/", views.earlier, name="earlier"),
    path("c/<uuid:id>/messages/", views.send, name="send"),
    path("c/<uuid:id>/menu/", listing.menu, name="menu"),
    path("c/<uuid:id>/title/", listing.title, name="title"),
    path("c/<uuid:id>/pin/", listing.pin, name="pin"),
    path("c/<uuid:id>/reading/", listing.reading, name="reading"),
    path("c/<uuid:id>/deletion/", listing.deletion, name="deletion"),
    path("c/<uuid:id>/restoration/", listing.restoration, name="restoration"),
    path("m/<uuid:id>/", views.message, name="message"),
    path("m/<uuid:id>/place/", branches.place, name="place"),
    path("m/<uuid:id>/edit/", branches.edit, name="edit"),
    path("m/<uuid:id>/versions/", branches.versions, name="versions"),
    path("m/<uuid:id>/continuations/", branches.continuations, name="continuations"),
    path("s/<uuid:uuid>/stop/", views.stop, name="stop"),
    path("sidebar/", views.sidebar, name="sidebar"),
    path("theme/", views.look, {"name": "theme"}, name="theme"),
    path("type/", views.look, {"name": "type"}, name="type"),
]
