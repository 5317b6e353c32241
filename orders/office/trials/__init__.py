"""Trials that staff enter, by a form or a workbook."""
