"""How the real partners speak: the profile, and its rules of answers (contract 7)."""
