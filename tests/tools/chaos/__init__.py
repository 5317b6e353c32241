"""Breaks parts of a desk of real processes at random. At the end nothing may be lost or done twice."""
