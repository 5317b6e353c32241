"""Plays random interleavings of messages, faults and repairs with the partners' process (docs/mechanisms/model.md)."""
