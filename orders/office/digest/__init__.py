"""Mails to each person about what waits: a digest a workday, and what turned red and is nobody's."""
