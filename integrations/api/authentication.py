"""Authenticates API calls with `Authorization: Bearer TOKEN`. Tokens have permissions like users, so views can
share code."""

from django.contrib.auth.models import AnonymousUser
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated, Throttled
from rest_framework.throttling import SimpleRateThrottle

from integrations.api.tokens import find_token, note_used
from integrations.bboss.caller_limits import Buckets, caller_address, caller_of
from integrations.models import ApiToken
from orders.lists.personal_data import SEE_PERSONAL_DATA

READS = {"orders.view_order", "orders.view_customer", "orders.view_billingrecord"}
RATE = "600/min"
GUESSES = (60, 60)  # an IP address may make 60 calls with unknown tokens in 60 seconds
guesses = Buckets()  # calls with a valid token are not counted


class Reader(AnonymousUser):
    """The user of a request with a token. The user has the token's permissions and attributions
    (orders/lists/scope.py)."""

    def __init__(self, token: ApiToken):
        self.token = token
        letters = token.attributions.values_list("letters", flat=True) if token.limited else None
        self.desk_attributions = letters if letters is None else frozenset(letters)

    @property
    def actor(self) -> str:
        return f"api:{self.token.system}"

    def has_perm(self, permission: str, obj: object = None) -> bool:
        shows_people = self.token.personal and not self.token.waits
        return permission in READS or (permission == SEE_PERSONAL_DATA and shows_people)


class BearerAuthentication(BaseAuthentication):
    """Accepts a valid token. For other tokens the response is 401 with the reason. After too many calls with unknown
    tokens the response is 429."""

    def authenticate(self, request) -> tuple[Reader, ApiToken]:
        scheme, _space, text = get_authorization_header(request).decode("latin-1").partition(" ")
        if scheme.lower() != "bearer" or not text.strip():
            raise NotAuthenticated("a token is needed: Authorization: Bearer TOKEN")
        token, now = find_token(text.strip()), timezone.now()
        if token is None:
            if not guesses.spend(caller_of(caller_address(request.META)), *GUESSES):
                raise Throttled(GUESSES[1])
            raise AuthenticationFailed("the token is unknown")
        if token.revoked_at is not None:
            raise AuthenticationFailed("the token was revoked")
        if not token.is_valid(timezone.localdate(now)):
            raise AuthenticationFailed(f"the token was valid until {token.valid_until.isoformat()}")
        note_used(token, now=now)
        return Reader(token), token

    def authenticate_header(self, request) -> str:
        return 'Bearer realm="IBS"'


class TokenThrottle(SimpleRateThrottle):
    """Limits the calls of a token in each web process. Calls are counted in memory, without database writes."""

    rate = RATE
    scope = "api"

    def get_cache_key(self, request, view) -> str:
        return f"api-token-{request.auth.pk}"
