"""Base classes and helpers of the admin's change lists."""
