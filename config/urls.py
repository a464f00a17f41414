"""Every address of the site, by app."""

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from chain.api.views import api_not_found

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/v1/", include("network.api.urls")),
    path("api/v1/", include("treasury.api.urls")),
    path("api/v1/", include("governance.api.urls")),
    # After all of them: an unknown address of the API is answered in the API's shape.
    path("api/v1/<path:rest>", api_not_found),
    path(f"{settings.ADMIN_PATH}/", admin.site.urls),
    path("", include("network.urls")),
    path("", include("treasury.urls")),
    path("", include("governance.urls")),
]

handler500 = "governance.views.errors.server_error"

if settings.DEMO_MODE:
    urlpatterns.append(path("demo/", include("demo.urls")))
