"""What the office does with lists and workbooks: a folder for each feature, with its tables and pages."""
