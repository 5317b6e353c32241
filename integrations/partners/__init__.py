"""How the real partners speak: the profile, its rules of answers, and what proves that a call is understood (contract 7)."""
