"""The manual (使用手册): ten short pages in Chinese; the help button opens the one of the page where one stands."""
