"""The addresses of LangGraph's clients that are there; anything else says that it is not."""

from django.urls import path

from chat.doors.langgraph import views

THREAD = "threads/<uuid:id>"
RUN = "threads/<uuid:thread>/runs/<uuid:id>"

urlpatterns = [
    path("threads", views.create_thread, name="langgraph-threads"),
    path(THREAD, views.read_thread, name="langgraph-thread"),
    path(f"{THREAD}/runs", views.create_run, name="langgraph-runs"),
    path(f"{THREAD}/runs/stream", views.stream_new_run, name="langgraph-new-stream"),
    path(f"{THREAD}/runs/wait", views.await_new_run, name="langgraph-new-wait"),
    path(RUN, views.read_run, name="langgraph-run"),
    path(f"{RUN}/stream", views.stream_run, name="langgraph-stream"),
    path(f"{RUN}/join", views.join_run, name="langgraph-join"),
    path(f"{RUN}/cancel", views.cancel_run, name="langgraph-cancel"),
    path("<path:rest>", views.answer_missing, name="langgraph-missing"),
]
