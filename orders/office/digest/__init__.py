"""Mails to each person about pending work: a digest per workday, and newly red items without an owner."""
