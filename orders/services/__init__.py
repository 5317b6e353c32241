"""The services, the only code that writes orders and their rows. Verb first, keyword-only, the actor as `by`."""
