"""A made-up partner is added by the lines of docs/architecture.md."""
