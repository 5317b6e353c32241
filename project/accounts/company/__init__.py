"""The company log-in by OpenID Connect (contract 4, OIDC_*). docs/security.md lists the checks of a log-in."""
