"""The addresses of a desk with OIDC_ISSUER. The tests' own settings have no company log-in."""

from project import urls

urlpatterns = [*urls.urlpatterns, *urls.COMPANY_LOG_IN]
