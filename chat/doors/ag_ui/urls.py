"""The one address of AG-UI."""

from django.urls import re_path

from chat.doors.ag_ui import views

app_name = "ag-ui"
urlpatterns = [re_path(r"^ag-ui/?$", views.run_agent, name="run")]
"""Without the slash, too: a redirect would make a GET of the POST of stock clients."""
