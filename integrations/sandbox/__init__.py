"""Simulates the partners BPM and big data over real HTTP, with its own store and faults (contract section 5).

The order desk uses the sandbox over HTTP only. `manage.py sandbox` and the tests start it.
"""
