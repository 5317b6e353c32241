"""Random interleavings of messages, faults and repairs against the partners' process (docs/mechanisms/model.md)."""
