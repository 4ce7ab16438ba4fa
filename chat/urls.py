"""URLs of the pages and their fragments."""

from django.urls import path

from chat.conversations import views as conversation_views
from chat.drafts import views as draft_views
from chat.messages import views as message_views
from chat.pages import appearance
from chat.pages import views as page_views
from chat.retention import views as retention_views
from chat.webhooks import views as webhook_views

urlpatterns = [
    path("", page_views.home, name="home"),
    path("c/", message_views.start_conversation, name="start"),
    path("c/<uuid:id>/", page_views.conversation_page, name="conversation"),
    path("c/<uuid:id>/earlier/", page_views.earlier_messages, name="earlier"),
    path("c/<uuid:id>/messages/", message_views.send_message, name="send"),
    path("c/<uuid:id>/menu/", conversation_views.conversation_menu, name="menu"),
    path("c/<uuid:id>/title/", conversation_views.rename_conversation, name="title"),
    path("c/<uuid:id>/pin/", conversation_views.pin_conversation, name="pin"),
    path("c/<uuid:id>/reading/", conversation_views.mark_read, name="reading"),
    path("c/<uuid:id>/deletion/", conversation_views.delete_conversation, name="deletion"),
    path("c/<uuid:id>/restoration/", conversation_views.restore_conversation, name="restoration"),
    path("m/<uuid:id>/", message_views.message_fragment, name="message"),
    path("m/<uuid:id>/place/", message_views.redirect_to_message, name="place"),
    path("m/<uuid:id>/edit/", message_views.edit_question, name="edit"),
    path("m/<uuid:id>/versions/", message_views.create_version, name="versions"),
    path("m/<uuid:id>/continuations/", message_views.create_continuation, name="continuations"),
    path("s/<uuid:uuid>/stop/", message_views.stop_reply, name="stop"),
    path("drafts/", draft_views.list_drafts, name="drafts"),
    path("drafts/<uuid:id>/", draft_views.save_draft, name="draft"),
    path("sidebar/", page_views.sidebar_fragment, name="sidebar"),
    path("settings/data/", retention_views.data_page, name="data"),
    path("settings/webhooks/", webhook_views.webhooks_page, name="webhooks"),
    path("settings/webhooks/<uuid:id>/", webhook_views.webhook_page, name="webhook"),
    path("settings/webhooks/<uuid:id>/secret/", webhook_views.renew_secret, name="webhook-secret"),
    path(
        "settings/webhooks/<uuid:id>/switch/", webhook_views.switch_webhook, name="webhook-switch"
    ),
    path(
        "settings/webhooks/<uuid:id>/removal/", webhook_views.delete_webhook, name="webhook-removal"
    ),
    path(
        "settings/webhooks/deliveries/<uuid:id>/",
        webhook_views.send_delivery_again,
        name="webhook-resending",
    ),
    path("theme/", appearance.set_appearance, {"name": "theme"}, name="theme"),
    path("type/", appearance.set_appearance, {"name": "type"}, name="type"),
]
