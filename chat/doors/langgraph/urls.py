"""The addresses of LangGraph's clients that are there; anything else says that it is not, and so do
other methods (views.py)."""

from django.urls import path, re_path

from chat.doors.langgraph import views

app_name = "langgraph"
THREADS = "langgraph/threads"
THREAD = f"{THREADS}/<uuid:id>"
RUN = f"{THREADS}/<uuid:thread>/runs/<uuid:id>"

urlpatterns = [
    path(THREADS, views.create_thread, name="threads"),
    path(THREAD, views.read_thread, name="thread"),
    path(f"{THREAD}/runs", views.create_run, name="runs"),
    path(f"{THREAD}/runs/stream", views.stream_new_run, name="new-stream"),
    path(f"{THREAD}/runs/wait", views.await_new_run, name="new-wait"),
    path(RUN, views.read_run, name="run"),
    path(f"{RUN}/stream", views.stream_run, name="stream"),
    path(f"{RUN}/join", views.join_run, name="join"),
    path(f"{RUN}/cancel", views.cancel_run, name="cancel"),
    re_path(r"^langgraph(?:/[\s\S]*)?$", views.answer_missing, name="missing"),
]
