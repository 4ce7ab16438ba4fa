"""The one address of AG-UI."""

from django.urls import path

from chat.doors.ag_ui import views

app_name = "ag-ui"
urlpatterns = [path("", views.run_agent, name="run")]
