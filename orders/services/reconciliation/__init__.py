"""Our books and the big-data side's: differences, what may be done about them, and who decides."""
