"""The manual (使用手册): ten short pages in Chinese; the help button opens the page about the current one."""
