"""The one address of AG-UI."""

from django.urls import path

from chat.doors.ag_ui import views

urlpatterns = [path("", views.run_agent, name="ag-ui")]
