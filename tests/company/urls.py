"""Our addresses as OIDC_ISSUER makes them; the tests' own settings have none."""

from project import urls

urlpatterns = [*urls.urlpatterns, *urls.COMPANY_LOG_IN]
