"""The demo: a whole order desk with the partners' sandbox. It runs the three acceptance cases as if they began
today.
"""
