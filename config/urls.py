"""Every address of the site, by app."""

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/v1/", include("network.api.urls")),
    path("api/v1/", include("treasury.api.urls")),
    path("api/v1/", include("governance.api.urls")),
    path(f"{settings.ADMIN_PATH}/", admin.site.urls),
    path("", include("network.urls")),
    path("", include("treasury.urls")),
    path("", include("governance.urls")),
]

if settings.DEMO_MODE:
    urlpatterns.append(path("demo/", include("demo.urls")))
