"""The second factor after a password (contract 4, MFA_REQUIRED): an authenticator app (TOTP), and recovery codes."""
