"""What all lists of the staff's pages share."""
