"""What each person is mailed of what waits: a digest a workday, and what turned red and is nobody's."""
