"""The demo: a whole order desk with the partners' sandbox. It plays the three acceptance cases as of today.

It sees the desk from outside, as a person would: over HTTP and with `manage.py`.
"""
