"""The settings of an account that are Holdfast's own."""

from __future__ import annotations

from django.urls import path

from accounts import views

urlpatterns = [
    path("replies/", views.replies_page, name="replies"),
    path("keys/", views.keys_page, name="keys"),
    path("keys/<slug:provider>/", views.key, name="key"),
    path("keys/<slug:provider>/check/", views.key_check, name="key-check"),
    path("keys/<slug:provider>/remove/", views.key_removal, name="key-removal"),
]
