"""What refusals have in common: a partner's words without the details of one order. Pure, and linear in time.

`域名 a.example.com 未备案（2023-09-20 18:53:39）` becomes `域名 # 未备案（#）`.
"""

import re
from collections.abc import Mapping

MAX_CHARACTERS = 120
OTHERS = "*"
"""The words of the incident that takes all further refusals once there are MAX_GROUPS incidents."""
MAX_GROUPS = 20
LONGEST_TEXT = 2000  # characters of an error; the rest of it is ignored
SPEAKS = ("code_", "http_", "smtp_", "provider_")  # codes that a partner or a mail server chose and gave words with
QUOTED = re.compile(
    r"""
    "[^"]*+(?:"|\Z) | “[^“”]*+(?:”|\Z) | ‘[^‘’]*+(?:’|\Z) | 「[^「」]*+(?:」|\Z) | 『[^『』]*+(?:』|\Z)
    | 《[^《》]*+(?:》|\Z) | `[^`]*+(?:`|\Z) | (?<!\w)'[^']*+(?:'(?!\w)|\Z)
""",
    re.VERBOSE,
)
ADDRESS = re.compile(r"https?://[^\s，。；、（）]++")
RUN = re.compile(r"[A-Za-z0-9_.@%+-]++")  # a word, number, domain, mail, order number or part of a time
NUMBER = re.compile(r"\d++")  # of other scripts
LABELS = re.compile(r"(?<![^\W0-9A-Za-z_])[^\W0-9A-Za-z_]++(?:\x00|\.(?=\w)(?:[^\W_]|[.-])*+)")
"""A domain that is not written in ASCII, or its first labels."""
SEVERAL = re.compile(r"#(?:[\s,，、;；:：/|.-]*+#)++")


def words_of(code: str, params: Mapping, number: str) -> str:
    """What an error's words have in common with those of others; empty if the code is our own and says all."""
    if not code.startswith(SPEAKS) or params.get("code") != "partner_words":
        return ""
    return common_words(params["words"].replace(number, "#"))


def common_words(text: str) -> str:
    """A partner's words with `#` for quotes, domains, addresses, numbers and times. At most MAX_CHARACTERS."""
    text = text[:LONGEST_TEXT].replace("\0", " ")
    text = RUN.sub(_run, ADDRESS.sub("#", QUOTED.sub("#", text)))
    text = NUMBER.sub("#", LABELS.sub("#", text).replace("\0", "#"))
    return " ".join(SEVERAL.sub("#", text).split())[:MAX_CHARACTERS]


def _run(found: re.Match) -> str:
    """`#` for a run with a digit, an @ or an inner dot. NUL if it continues the text before it, as in `例子.com`."""
    run = found[0]
    core = run.rstrip(".-%+_")
    if core.startswith("."):
        return "\0" + run[len(core) :]
    if any(map(str.isdigit, core)) or "@" in core or "." in core:
        return "#" + run[len(core) :]
    return run
