"""Remove passwords, tokens and keys from the words of a command (contract 5, `audit`). Pure."""

import re

CUT = "***"
CODE = {"shell", "dbshell"}
"""Commands whose words are code or statements: only the length is kept."""
NAMES_ONLY = {"changepassword": 1, "emergency_account": 1, "createsuperuser": 0}
"""Commands about accounts: whatever stands behind so many names is no name."""
PERSONS = {"erase": re.compile(r"(--[pm][a-z]*)(=.*)?", re.DOTALL)}
"""Commands with options whose value is personal data: `erase --phone`."""
FLAGS = {"--noinput", "--no-input", "--no-color", "--force-color", "--skip-checks", "--traceback", "--emergency"}
_WORDS = (
    "passw(?:or)?d|passphrase|passcode|pwd|token|secret|credential|authorization|bearer|密码|口令|令牌|密钥|秘钥|凭证"
)
_NAME = rf"(?:[\w-]{{0,40}}(?:{_WORDS})[A-Za-z0-9_-]{{0,40}}|[\w-]{{0,40}}keys?\b|(?:\bx-)?\bsign(?:ature)?\b)"
_IS = r"(?:[:=：＝]++>?+|\bis\b|\bwas\b|是|为|(?<=['\"]),|(?<=['\"] ),|\((?=['\"])|(?<=[\s'\"`码令钥证])(?=[\"'`“‘「]))"
_NEW = r"(?!\*{3}(?:\W|$))"  # not removed yet
_QUOTED = r"""(["'`])(?:\\.|(?!\2).)*(?:\2|$)|(\\+["'])(?:(?!\3).)*(?:\3|$)|[“‘「][^”’」]*[”’」]?"""
_VALUE = rf"{_NEW}(?:{_QUOTED}|(?:(?:bearer|basic|token)\s+)?[^\s]+)"
_NAMED = re.compile(
    rf"({_NAME}(?:\s(?:for|of)\s\S{{1,40}}?)?[\s\\'\"`\])]*{_IS}(?:\s*{_IS})*[\s\[({{]*){_VALUE}",
    re.IGNORECASE | re.DOTALL,
)
_BESIDE = re.compile(rf"((?<![/.\w-]){_NAME}['\"`]?(?:\s+['\"`]?|(?<=[码令钥证]))){_NEW}([!-~]+)", re.IGNORECASE)
_OPTION = re.compile(rf"(-*){_NAME}[:=]?", re.IGNORECASE)
_LOGIN = re.compile(r"(\w[\w+.-]{0,20}://|(?<![\w.-])[\w.-]{1,60}:)[^\s'\"]{0,200}@(?=[\w\[])")
_QUERY = re.compile(r"(\w[\w+.-]{0,20}://[^\s?#'\"]+[?#])[^\s'\"]+")
_SHAPES = re.compile(r"-----BEGIN.*|AGE-SECRET-KEY-\w+", re.DOTALL)
_RUN = re.compile(r"(?<![\w/.~+=-])[\w+=-][\w+/=-]{19,}", re.ASCII)
_PLAIN = re.compile(r"(?=.*[a-f])[0-9a-f]{32,}|(?=.*[A-F])[0-9A-F]{32,}|(?=.*[2-7])[A-Z2-7]{32,}")
SWITCHES = 0.4
"""How often letters, capitals, digits and signs follow each other in what was drawn by lot; names and numbers: less."""


def command_words(command: str, words: list[str], *, joined: bool = False) -> str:
    """Returns a command line for the trail, without secrets.

    `joined`: the words come from splitting a stored text, so a word may be part of a sentence.
    """
    if command in CODE:
        return f"{command} ({len(' '.join(words))} characters)" if words else command
    kept, before, names = [command], "", NAMES_ONLY.get(command, len(words))
    person = PERSONS.get(command)
    for word in words:
        if person and (option := person.fullmatch(word)) and option[2]:
            word = f"{option[1]}={CUT}"
        is_value = before.startswith("-") and "=" not in before and before not in FLAGS
        if not word.startswith("-") and not is_value:
            names -= 1
        named, personal = _OPTION.fullmatch(before), person and is_value and person.fullmatch(before)
        is_secret = names < 0 or personal or (named and (named[1] or not joined))
        kept.append(CUT if is_secret else word if joined else without_secrets(word))
        before = word
    return " ".join(kept)


def kept_words(text: str) -> str:
    """Remove secrets from a stored command line, as versions before 1.11.0 stored them in full. Removed parts stay
    removed.
    """
    command, _, rest = text.partition(" ")
    if command in CODE and re.fullmatch(r"\(\d+ characters\)", rest):
        return text
    return command_words(command, without_secrets(rest).split(" ") if rest else [], joined=True)


def without_secrets(text: str) -> str:
    """Returns the text without named secrets, query strings of URLs, and words that look random."""
    text = _QUERY.sub(rf"\g<1>{CUT}", without_named_secrets(text))
    return _RUN.sub(lambda found: CUT if _is_random(found[0]) else found[0], text)


def without_named_secrets(text: str) -> str:
    """Returns the text without named secrets, URL credentials and private keys. It is for reasons, which may quote
    transaction numbers.
    """
    text = _LOGIN.sub(rf"\g<1>{CUT}@", _SHAPES.sub(CUT, text))
    text = _NAMED.sub(rf"\g<1>{CUT}", text)
    return _BESIDE.sub(lambda found: f"{found[1]}{CUT}" if _is_odd(found[2]) else found[0], text)


def _is_odd(word: str) -> bool:
    """Returns True if this is not an ordinary word. An ordinary word can follow "password" in a sentence."""
    word = word.strip("\"'`.,;:!?()")
    return any(map(str.isalnum, word)) and not (word.isalpha() and word[1:] == word[1:].lower())


def _is_random(word: str) -> bool:
    if _PLAIN.fullmatch(word):
        return True
    if "/" in word and not set("+=") & set(word):  # a path
        return False
    kinds = ["A" if one.isupper() else "a" if one.islower() else "0" if one.isdigit() else "-" for one in word]
    switches = sum(one != other for one, other in zip(kinds, kinds[1:], strict=False))
    return len(set(kinds) - {"-"}) > 1 and switches >= SWITCHES * len(word)
