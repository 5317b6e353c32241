"""The database as a whole: its settings, engines that keep the deadlines, copies of it, and putting one back."""
