"""What the office takes out of the desk."""
