"""The partners' stand-in: BPM and big data over real HTTP, with their own store and faults (contract section 5).

The order desk reaches the sandbox over HTTP only. `manage.py sandbox` and the tests start it.
"""
