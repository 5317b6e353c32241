"""Delivery beside other queues: `make bench-peers`. Each has a short file; what a task does is `bench.calls.call`."""
