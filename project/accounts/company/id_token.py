"""Exchanges the code for an ID token, validates the token, and returns the person's claims.

mozilla-django-oidc creates state, nonce and PKCE and verifies the nonce. It verifies neither `iss` nor `aud`. This
module verifies both.
"""

import base64
from urllib.parse import quote_plus

import jwt
from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from mozilla_django_oidc.auth import OIDCAuthenticationBackend

from project.accounts.company.account_provisioning import provision_account
from project.accounts.company.provider import (
    ProviderError,
    call,
    callback_address,
    description,
    key_of,
    library_setting,
)
from project.models import User

LEEWAY_SECONDS = 60  # maximum difference between the provider's clock and ours
REQUIRED = ["iss", "aud", "exp", "iat", "sub"]
LONGEST_SUBJECT = 255  # OpenID Connect Core 2


class CompanyLogIn(OIDCAuthenticationBackend):
    """The backend for a single log-in.

    It is not listed in AUTHENTICATION_BACKENDS, because Django creates the backends listed there for each request and
    passes all passwords to them.
    """

    id_token = ""
    """The ID token of the last log-in. The provider requires it at the log-out."""

    get_settings = staticmethod(library_setting)

    def get_token(self, payload: dict) -> dict:
        """Exchanges the code. Raises ProviderError. If the provider rejects the code, raises SuspiciousOperation."""
        form = payload | {"redirect_uri": callback_address()}
        authorization = ""
        methods = description().get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        if "client_secret_basic" in methods:  # RFC 6749, 2.3.1: both parts are encoded as in a form
            pair = f"{quote_plus(form['client_id'])}:{quote_plus(form.pop('client_secret'))}"
            authorization = f"Basic {base64.b64encode(pair.encode()).decode()}"
        status, answer = call(self.OIDC_OP_TOKEN_ENDPOINT, form=form, authorization=authorization)
        if status >= 500 or answer is None:
            raise ProviderError(f"the code was answered with {status}")
        if answer.get("error") == "invalid_client":  # our client secret is being changed at the provider
            raise ProviderError("the provider does not take OIDC_CLIENT_SECRET")
        if status != 200 or not isinstance(answer.get("id_token"), str):
            raise SuspiciousOperation(f"the code was refused with {status}: {str(answer.get('error', ''))[:64]}")
        return answer

    def retrieve_matching_jwk(self, token: str) -> tuple[jwt.PyJWK, str]:
        return key_of(token)

    def get_payload_data(self, token: str, key: tuple[jwt.PyJWK, str]) -> dict:
        """Returns the ID token's claims. If signature, audience, issuer or times are invalid, raises jwt's errors."""
        public, algorithm = key
        claims = jwt.decode(
            token,
            public,
            algorithms=[algorithm],
            audience=settings.OIDC_CLIENT_ID,
            issuer=description()["issuer"],
            leeway=LEEWAY_SECONDS,
            options={"require": REQUIRED},
        )
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if claims.get("azp", None if several else settings.OIDC_CLIENT_ID) != settings.OIDC_CLIENT_ID:
            raise jwt.InvalidAudienceError("the token was given to another client (azp)")
        if not 0 < len(claims["sub"]) <= LONGEST_SUBJECT or not claims["sub"].isprintable():
            raise jwt.InvalidTokenError("sub is empty, too long or not printable")
        return claims

    def store_tokens(self, access_token: str, id_token: str) -> None:
        self.id_token = id_token

    def get_or_create_user(self, access_token: str, id_token: str, payload: dict) -> User:
        return provision_account(self._all_claims(access_token, payload))

    def _all_claims(self, access_token: str, payload: dict) -> dict:
        """Returns the ID token's claims. If they have no groups, adds the claims of the userinfo endpoint.

        If that endpoint fails, raises ProviderError. If the claims are those of another person, raises
        SuspiciousOperation.
        """
        address = description().get("userinfo_endpoint")
        if settings.OIDC_CLAIM in payload or not address or not isinstance(access_token, str):
            return payload
        status, answer = call(address, authorization=f"Bearer {access_token}")
        if status != 200 or answer is None:
            raise ProviderError(f"userinfo was answered with {status}")
        if answer.get("sub") != payload["sub"]:
            raise SuspiciousOperation("userinfo is of another person")
        return answer | payload
