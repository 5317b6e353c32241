"""Info-security files: the check, the look into an xlsx file, and the preview on the order's page."""
