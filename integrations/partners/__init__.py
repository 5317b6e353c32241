"""The profile with the real partners' formats, and the rules by which it classifies answers (contract 7)."""
