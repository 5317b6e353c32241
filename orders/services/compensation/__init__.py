"""Compensation (话单异常删除兜底): an order is stopped and what it sent is undone."""
