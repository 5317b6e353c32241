"""Info-security files: the check, the xlsx probe, and the preview on the order's page."""
