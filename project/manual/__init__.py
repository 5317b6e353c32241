"""The manual (使用手册): ten short pages in Chinese. The help button opens the page that explains the current page."""
