"""The addresses of the company log-in (contract 4, OIDC_*). They are mounted only with OIDC_ISSUER."""

from django.urls import path

from project.accounts.company import views

urlpatterns = [
    path("login/", views.start, name="company_login"),
    path("login/callback/", views.callback, name="company_callback"),
]
