from django.urls import path

from chat.doors.durable_streams import views

urlpatterns = [
    path("replies/<uuid:id>", views.durable_reply, name="durable-reply"),
    path("<path:name>", views.durable_stream, name="durable-stream"),
]
