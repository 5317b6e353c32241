"""How days and times are written: short, and sortable by eye."""
