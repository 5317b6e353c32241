"""The formats and rules of the real partners: the profile, and its rules of answers (contract 7)."""
