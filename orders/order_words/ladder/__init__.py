"""The ladder on the order page: the stages of an order, and the current one."""
