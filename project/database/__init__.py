"""What concerns the database as a whole: copies of it, and putting one back."""
