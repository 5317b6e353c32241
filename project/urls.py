"""The URL patterns (contract section 6)."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from project.accounts.company import company_login_pages as company
from project.accounts.emergency_accounts import emergency_link
from project.accounts.passwords.password_pages import request_link, set_by_link
from project.observability import health_pages

handler400 = "project.error_views.bad_request"
handler404 = "project.error_views.not_found"
handler500 = "project.error_views.server_error"

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("accounts/emergency/", emergency_link, name="emergency_link"),
    path("accounts/password_reset/", request_link, name="admin_password_reset"),  # Django's log-in page has this name
    path("accounts/password_reset/set/", set_by_link, name="password_link"),
    path("livez", health_pages.livez),
    path("readyz", health_pages.readyz),
    path("metrics", health_pages.metrics),
    path("api/", include("integrations.urls")),
    path("api/schema", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs", SpectacularSwaggerSplitView.as_view(), name="docs"),
]
COMPANY_LOG_IN = [
    path("accounts/oidc/company/login/", company.start, name="company_login"),
    path("accounts/oidc/company/login/callback/", company.callback, name="company_callback"),
]
if settings.OIDC_ISSUER:
    urlpatterns += COMPANY_LOG_IN
