"""The dashboard: is today all right? Few queries, each with its index; every number leads to the list behind it."""
