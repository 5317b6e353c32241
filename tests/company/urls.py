"""Our addresses as OIDC_ISSUER makes them; the tests' own settings have none."""

from django.urls import include, path

from project import urls

urlpatterns = [*urls.urlpatterns, path("accounts/oidc/company/", include("project.accounts.company.urls"))]
