"""The partners' stand-in: BPM and big data over real HTTP, with its own store and fault switches (contract section 5).

Nothing here is reached by the order desk except over HTTP; `manage.py sandbox` and the tests start it.
"""
