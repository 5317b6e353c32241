"""A made-up partner and a made-up act are added by the lines of docs/architecture.md."""
