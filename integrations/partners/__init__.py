"""The profile with the real partners' formats, and the rules by which a partner's answer is classified (contract 7)."""
