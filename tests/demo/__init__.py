"""The demo: a whole order desk with the partners' sandbox. It plays the three acceptance cases as of today."""
