"""The addresses of the pages and their fragments."""

from django.urls import path

from chat import branches, listing, views

urlpatterns = [
    path("", views.home, name="home"),
    path("c/", views.start_conversation, name="start"),
    path("c/<uuid:id>/", views.conversation_page, name="conversation"),
    path("c/<uuid:id>/earlier/", views.earlier_messages, name="earlier"),
    path("c/<uuid:id>/messages/", views.send_message, name="send"),
    path("c/<uuid:id>/menu/", listing.conversation_menu, name="menu"),
    path("c/<uuid:id>/title/", listing.rename_conversation, name="title"),
    path("c/<uuid:id>/pin/", listing.pin_conversation, name="pin"),
    path("c/<uuid:id>/reading/", listing.mark_read, name="reading"),
    path("c/<uuid:id>/deletion/", listing.delete_conversation, name="deletion"),
    path("c/<uuid:id>/restoration/", listing.restore_conversation, name="restoration"),
    path("m/<uuid:id>/", views.message_fragment, name="message"),
    path("m/<uuid:id>/place/", branches.redirect_to_message, name="place"),
    path("m/<uuid:id>/edit/", branches.edit_question, name="edit"),
    path("m/<uuid:id>/versions/", branches.create_version, name="versions"),
    path("m/<uuid:id>/continuations/", branches.create_continuation, name="continuations"),
    path("s/<uuid:uuid>/stop/", views.stop_reply, name="stop"),
    path("sidebar/", views.sidebar_fragment, name="sidebar"),
    path("theme/", views.set_appearance, {"name": "theme"}, name="theme"),
    path("type/", views.set_appearance, {"name": "type"}, name="type"),
]
