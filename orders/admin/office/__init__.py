"""Pages of the office: what is taken out of the desk."""
