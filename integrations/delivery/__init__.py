"""Delivery: claims, sends and records the steps that are due."""
