"""Compensation (话单异常删除兜底): stops an order and undoes what it sent."""
