"""All that leans on Django's inside: queries compiled once, rows written many at a time, and the lists' indexes."""
