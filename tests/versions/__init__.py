"""Tests of upgrades: released versions, this version and made-up next versions.

Also tests what a migration may do while a desk works.
"""
