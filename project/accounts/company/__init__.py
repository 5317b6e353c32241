"""The company log-in by OpenID Connect (contract 4, OIDC_*). docs/security.md lists its checks."""
