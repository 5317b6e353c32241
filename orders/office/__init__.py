"""The office's features around lists and workbooks: a folder for each feature, with its tables and pages."""
