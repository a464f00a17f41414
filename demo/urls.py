"""Addresses that exist in demo mode only."""

from django.urls import path

from demo import views

app_name = "demo"
urlpatterns = [path("rpc", views.rpc, name="rpc")]
