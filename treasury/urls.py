"""Addresses of the treasury's page."""

from django.urls import URLPattern, path

from treasury.views import overview

app_name = "treasury"
urlpatterns: list[URLPattern] = [path("treasury/", overview, name="overview")]
