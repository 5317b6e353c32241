"""The demo: a whole order desk beside the partners' sandbox, and the three acceptance cases played today.

It looks at the desk from outside, as a person would: over HTTP and with `manage.py`.
"""
