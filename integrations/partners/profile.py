"""The profile of partners: the formats of BBOSS, the big-data side and BPM (contract 7.1).

The TOML file contains only the differences from the defaults. The classes below define the keys of the file, with types
and defaults. Django's settings are not read here. `profile_requirements` checks a profile against the settings.
"""

import datetime
import difflib
import functools
import hashlib
import itertools
import re
import tomllib
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.hashes import SM3, Hash

from integrations.partners.member_rules import Rule, RuleError, equals, read_rule

KEY, VALUE, SECRET, PAIRS = "{name}", "{value}", "{secret}", "{pairs}"
SIGN_METHODS = ("md5", "sha256", "sm3", "hmac-md5", "hmac-sha256")
CONTENT_TYPES = ("application/json", "text/plain", "application/x-www-form-urlencoded")
SECRET_NAMES = re.compile(r"authorization|cookie|token|secret|password|passwd|api-?key", re.IGNORECASE)
EPOCHS = {"epoch": 1, "epoch_ms": 1000}  # units in a second
EXTENSIONS = (".xlsx", ".xls")
FROM_ENVIRONMENT = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
SECRET_MEMBERS = ("accessToken", "sign")
ANSWER = "answer"

Names = tuple[str, ...]
Table = Mapping[str, str]


class ProfileError(ValueError):
    """The profile is invalid. The text is one line with the key and the valid values."""


def key(default: Any, *, one_of: Sequence[str] = (), check: Callable[[Any], str] | None = None) -> Any:
    """Returns a dataclass field for a key of the profile. `one_of` lists the valid values. If a value is invalid,
    `check(value)` returns the reason. Otherwise it returns ""."""
    about = {"one_of": tuple(one_of), "check": check}
    if isinstance(default, dict | type):
        make = default if isinstance(default, type) else lambda: types.MappingProxyType(dict(default))
        return field(default_factory=make, metadata=about)
    return field(default=default, metadata=about)


def is_charset(name: str) -> bool:
    """Returns True if this is the name of a usable charset. Some of Python's codecs are no charsets (`hex`), or can't
    replace invalid bytes (`idna`)."""
    try:
        return "".encode(name) is not None and b"\xff".decode(name, "replace") is not None
    except (LookupError, ValueError):
        return False


def _charset(name: str) -> str:
    return "" if is_charset(name) else f"{name!r} is no charset"


def _charsets(names: Names) -> str:
    return next(filter(None, map(_charset, names)), "") if names else "name one at least"


def _some(values: Names) -> str:
    return "" if values else "name one at least"


def _times(formats: Names) -> str:
    moment = datetime.datetime(2023, 9, 20, 18, 53, 39, tzinfo=datetime.UTC)
    for one in formats:
        try:
            right = one in EPOCHS or ("%" in one and datetime.datetime.strptime(moment.strftime(one), one))
        except ValueError:
            right = False
        if not right:
            return f"{one!r} is no format of a time, such as %Y-%m-%d %H:%M:%S"
    return _some(formats)


def _order(order: str | Names) -> str:
    return "" if order else 'must be a list of members, or "sorted"'


def _path(path: str) -> str:
    return "" if path.startswith(("/", "http://", "https://", "${")) else "must begin with /, or be a whole address"


def _path_or_none(path: str) -> str:
    return _path(path) if path else ""


def _paths(paths: Names) -> str:
    wrong = [path for path in paths if not path.startswith("/")]
    return f"{wrong[0]!r} must begin with /" if wrong else ""


def _text_to_sign(text: str) -> str:
    return "" if PAIRS in text else f"needs {PAIRS}"


def _pair(text: str) -> str:
    return "" if VALUE in text else f"needs {VALUE}"


def _rename(names: Table) -> str:
    """Returns an error if a table `rename` maps two names to the same member, because one value would overwrite the
    other."""
    ours = list(names.values())
    twice = next((name for name in ours if ours.count(name) > 1), "")
    return f"{twice!r} is there twice" if twice else ""


def _headers(headers: Table) -> str:
    for name, value in headers.items():
        if SECRET_NAMES.search(name) and not FROM_ENVIRONMENT.search(value):
            return f"{name} holds a secret: write ${{NAME}}, and set NAME in the environment"
    return ""


def _number(number: int) -> str:
    return "" if number >= 0 else "must not be below 0"


@dataclass(frozen=True, kw_only=True)
class Kinds:
    trial: Names = key(("1",))
    change: Names = key(("2",))
    activation: Names = key(("3",))


@dataclass(frozen=True, kw_only=True)
class BbossReply:
    charset: str = key("utf-8", check=_charset)
    result: str = key("text", one_of=("text", "object"))


@dataclass(frozen=True, kw_only=True)
class Sign:
    """The signature of a message. `order` is `sorted`, or a list of the signed members in their order."""

    methods: Names = key(("md5",), check=_some)
    order: str | Names = key("sorted", check=_order)
    pair: str = key("{name}{value}", check=_pair)
    between: str = key("")
    text: str = key("{secret}{pairs}{secret}", check=_text_to_sign)
    empty: str = key("enter", one_of=("enter", "skip"))
    content: str = key("canonical", one_of=("canonical", "raw"))
    charset: str = key("utf-8", check=lambda name: "" if name == "body" else _charset(name))
    encoding: str = key("hex", one_of=("hex", "base64"))


@dataclass(frozen=True, kw_only=True)
class Token:
    check: str = key("list", one_of=("list", "form", "none"))


@dataclass(frozen=True, kw_only=True)
class Domains:
    wildcards: bool = key(False)
    separators: str = key("")
    urls: bool = key(False)


@dataclass(frozen=True, kw_only=True)
class Bboss:
    """The format of BBOSS's messages."""

    paths: Names = key((), check=_paths)
    content_types: Names = key(("application/json",), check=_some)
    form_member: str = key("")
    charsets: Names = key(("utf-8",), check=_charsets)
    lenient: bool = key(False)
    time_formats: Names = key(("%Y%m%d%H%M%S",), check=_times)
    day_formats: Names = key(("%Y%m%d",), check=_times)
    kinds: Kinds = key(Kinds)
    kind_absent: str = key("activation", one_of=("activation", "members"))
    withdraws: Names = key(("1",), check=_some)
    keeps: Names = key(("0",))
    rename: Table = key({}, check=_rename)
    reply: BbossReply = key(BbossReply)
    sign: Sign = key(Sign)
    token: Token = key(Token)
    domains: Domains = key(Domains)

    def named(self, ours: str, members: Mapping[str, Any]) -> str:
        """Returns the name of a member in the envelope `members`: BBOSS's name if it occurs there, otherwise our
        name."""
        theirs = self.theirs.get(ours, ours)
        return theirs if theirs in members else ours

    @functools.cached_property
    def theirs(self) -> Table:
        """Returns BBOSS's names of the envelope's renamed members, by our names."""
        return {ours: theirs for theirs, ours in self.rename.items() if "." not in theirs + ours}

    @functools.cached_property
    def secret_names(self) -> frozenset[str]:
        """Returns our names and BBOSS's names of the members that must not be shown, in lower case."""
        theirs = {theirs.rpartition(".")[2] for theirs, ours in self.rename.items() if ours in SECRET_MEMBERS}
        return frozenset(name.lower() for name in {*SECRET_MEMBERS, *theirs})


@dataclass(frozen=True, kw_only=True)
class Files:
    extensions: Names = key((".xlsx",), check=_some)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The rules of an answer (`integrations.partners.answers`). Paths are relative to the object inside the members of
    `unwrap`."""

    unwrap: Names = key(())
    repeated: tuple[Rule, ...] = key(())
    success: tuple[Rule, ...] = key((read_rule({"code": [200]}),), check=_some)
    later: tuple[Rule, ...] = key((read_rule({"code": [">=500"]}),))
    refused: tuple[Rule, ...] = key((read_rule({"code": ["*"]}),))
    message: Names = key(("message", "msg"))
    process: Names = key(("result.processId",))


@dataclass(frozen=True, kw_only=True)
class Post:
    path: str = key("/productInfos", check=_path)
    most: int = key(0, check=_number)
    answer: Answer = key(Answer)


@dataclass(frozen=True, kw_only=True)
class Delete:
    path: str = key("/productInfos/delete", check=_path_or_none)
    answer: Answer = key(Answer)


@dataclass(frozen=True, kw_only=True)
class Query:
    path: str = key("/productInfos/query", check=_path_or_none)
    rows: str = key("result")
    none: tuple[Rule, ...] = key(())
    answer: Answer = key(Answer)


@dataclass(frozen=True, kw_only=True)
class Traffic:
    path: str = key("/trialFlow/query", check=_path_or_none)
    rows: str = key("result")
    answer: Answer = field(default_factory=lambda: Answer(unwrap=("result",)), metadata={})


@dataclass(frozen=True, kw_only=True)
class Bigdata:
    headers: Table = key({}, check=_headers)
    key_header: str = key("Idempotency-Key")
    charset: str = key("utf-8", check=_charset)
    post: Post = key(Post)
    delete: Delete = key(Delete)
    query: Query = key(Query)
    traffic: Traffic = key(Traffic)
    rename: Table = key({}, check=_rename)
    answer: Answer = key(Answer)


@dataclass(frozen=True, kw_only=True)
class Start:
    path: str = key("/flows/start", check=_path)
    answer: Answer = key(Answer)


CONSTANTS = {
    "accessSystem": "IBS",
    "account": "CDN-IBS",
    "task_first_class": "3",
    "task_second_class": "5",
    "triggerMode": "manualTrigger",
    "sourceOfDemand": "IBS平台",
}


@dataclass(frozen=True, kw_only=True)
class Callback:
    """The format of BPM's callbacks."""

    paths: Names = key((), check=_paths)
    check: str = key("hmac", one_of=("hmac", "token", "addresses"))
    header: str = key("X-Signature")
    identifies: str = key("code", one_of=("code", "process"))
    rename: Table = key({}, check=_rename)
    # BPM's values. `pass` is a keyword of Python, so the fields have other names than the keys.
    passes: tuple[Any, ...] = key(("pass",))
    rejects: tuple[Any, ...] = key(("reject",))
    returns: tuple[Any, ...] = key(("return",))
    finished: tuple[Any, ...] = key((True,))
    unfinished: tuple[Any, ...] = key((False,))
    finished_absent: bool = key(None)  # None: not set
    record_id_absent: str = key("refuse", one_of=("refuse", "hash"))
    time_formats: Names = key(("%Y-%m-%d %H:%M:%S",), check=_times)
    answer: Mapping[str, Any] = key({"code": 200, "message": "成功"})

    @functools.cached_property
    def without_finished(self) -> bool | None:
        """Returns the value of `finished` for a callback without it. None means that such a callback is refused.

        If `finished_absent` is not set, such a callback is refused under the default profile, and counts as not
        finished under any other profile.
        """
        return self.finished_absent if self.finished_absent is not None else None if self == Callback() else False

    @functools.cached_property
    def paths_of_ours(self) -> tuple[tuple[tuple[str, ...], str], ...]:
        """Returns (BPM's path, our name) of each renamed member."""
        return tuple((tuple(theirs.split(".")), ours) for theirs, ours in self.rename.items())


TOML_KEYS = {(Callback, "passes"): "pass", (Callback, "rejects"): "reject", (Callback, "returns"): "return"}


@dataclass(frozen=True, kw_only=True)
class Bpm:
    headers: Table = key({}, check=_headers)
    key_header: str = key("Idempotency-Key")
    charset: str = key("utf-8", check=_charset)
    start: Start = key(Start)
    flow: str = key("tyywrwlc")
    flow_by_attribution: Table = key({})
    process_type: str = key("2")
    constants: Table = key(CONSTANTS)
    time_format: str = key("%Y-%m-%d %H:%M:%S")
    rename: Table = key({}, check=_rename)
    repeats: str = key("same_key", one_of=("same_key", "ask"))
    answer: Answer = key(Answer)
    callback: Callback = key(Callback)


@dataclass(frozen=True, kw_only=True)
class Profile:
    """The whole profile. `digest` is the SHA-256 of the file's text. Processes compare their profiles by the digest.
    `given` are the file's tables. Pages and commands use them to show the origin of a value."""

    bboss: Bboss = key(Bboss)
    files: Files = key(Files)
    bigdata: Bigdata = key(Bigdata)
    bpm: Bpm = key(Bpm)
    digest: str = ""
    given: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @functools.cached_property
    def renamed_members(self) -> tuple[tuple[str, str], ...]:
        """Returns (our path, the partner's path) of each renamed member of all messages."""
        read = (pair for one in (self.bboss, self.bpm.callback) for pair in one.rename.items())
        sent = (pair for one in (self.bigdata, self.bpm) for pair in one.rename.items())
        return (*((ours, theirs) for theirs, ours in read), *sent)


NO_KEYS = {(Profile, "digest"), (Profile, "given")}
CALLS = {"bigdata": ("post", "delete", "query", "traffic"), "bpm": ("start",)}
NAMES = tuple(f"{partner}.{call}" for partner, calls in CALLS.items() for call in calls)


def read_profile(text: str) -> Profile:
    """Parses a profile in TOML. Raises ProfileError."""
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ProfileError(f"not TOML: {error}") from None
    profile = _read(Profile, _with_inherited_answers(given), "", Profile())
    object.__setattr__(profile, "digest", hashlib.sha256(text.encode()).hexdigest() if given else "")
    object.__setattr__(profile, "given", given)
    _check_whole(profile)
    return profile


def load_profile(path: str | Path) -> Profile:
    """Loads a profile from a file. For an empty path, returns the defaults. Raises ProfileError with the file's
    name."""
    return named_profile(path, profile_text(path))


def profile_text(path: str | Path) -> str:
    """Returns the text of a profile's file, or "" for an empty path. Raises ProfileError with the file's name."""
    try:
        return Path(path).read_bytes().decode("utf-8-sig") if str(path) else ""
    except (OSError, UnicodeDecodeError) as error:
        raise ProfileError(f"{path}: can't be read: {getattr(error, 'strerror', '') or error}") from None


def named_profile(path: str | Path, text: str) -> Profile:
    """Parses the text of a profile's file. Raises ProfileError with the file's name."""
    try:
        return read_profile(text)
    except ProfileError as error:
        raise ProfileError(f"{path}: {error}") from None


def _with_inherited_answers(given: dict[str, Any]) -> dict[str, Any]:
    """Returns the file's tables. The `answer` of each partner is copied into the `answer` of the partner's calls. If a
    call has a key of its own, that key takes precedence."""
    given = dict(given)
    for partner, calls in CALLS.items():
        table = given.get(partner)
        if not isinstance(table, dict) or not isinstance(general := table.get(ANSWER, {}), dict):
            continue
        table = given[partner] = dict(table)
        for call in calls if general else ():
            own = table.get(call, {})
            if isinstance(own, dict) and isinstance(own.get(ANSWER, {}), dict):
                table[call] = own | {ANSWER: general | own.get(ANSWER, {})}
    return given


def _read(kind: type, given: Any, path: str, defaults: Any) -> Any:
    """Returns an instance of `kind`, a class of this module. The keys of the table `given` override `defaults`."""
    if not isinstance(given, dict):
        raise ProfileError(f"{path}: must be a table")
    known = {TOML_KEYS.get((kind, one.name), one.name): one for one in fields(kind) if (kind, one.name) not in NO_KEYS}
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1, 0.5)
            raise ProfileError(f"{path}{name}: no such key; {f'{near[0]}?' if near else ', '.join(known)}")
    hints = typing.get_type_hints(kind)
    values = {one.name: getattr(defaults, one.name) for one in fields(kind)}
    for name, value in given.items():
        one = known[name]
        values[one.name] = _value(hints[one.name], value, f"{path}{name}", values[one.name], one.metadata)
    return kind(**values)


def _value(hint: Any, given: Any, path: str, default: Any, about: Mapping[str, Any]) -> Any:
    if is_dataclass(hint):
        return _read(typing.cast(type, hint), given, f"{path}.", default)
    value = _typed(hint, given, path, default)
    if (allowed := about.get("one_of")) and value not in allowed:
        raise ProfileError(f"{path}: {given!r} is not one of {', '.join(allowed)}")
    if (check := about.get("check")) and (why := check(value)):
        raise ProfileError(f"{path}: {why}")
    return value


def _typed(hint: Any, given: Any, path: str, default: Any) -> Any:
    if hint in (str, bool, int):
        if type(given) is not hint:
            raise ProfileError(
                f"{path}: must be {({str: 'a text', bool: 'true or false', int: 'a whole number'})[hint]}"
            )
        return given
    if hint == tuple[Rule, ...]:
        return _rules(given, path)
    if hint == Names:
        return _texts(given, path)
    if hint == tuple[Any, ...]:
        if not isinstance(given, list) or not all(isinstance(one, str | int | bool) for one in given):
            raise ProfileError(f"{path}: must be a list of texts, numbers, true or false")
        return tuple(given)
    if hint == str | Names:
        if isinstance(given, str) and given == "sorted":
            return given
        return _texts(given, path, ' of members, or "sorted"')
    if not isinstance(given, dict):
        raise ProfileError(f"{path}: must be a table")
    if hint == Table and not all(isinstance(one, str) for one in given.values()):
        raise ProfileError(f"{path}: must be a table of texts")
    return types.MappingProxyType({**default, **given})


def _texts(given: Any, path: str, more: str = " of texts") -> Names:
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise ProfileError(f"{path}: must be a list{more}")
    return tuple(given)


def _rules(given: Any, path: str) -> tuple[Rule, ...]:
    if not isinstance(given, list):
        raise ProfileError(f"{path}: must be a list of rules, such as [{{ code = [200] }}]")
    try:
        return tuple(read_rule(one) for one in given)
    except RuleError as error:
        raise ProfileError(f"{path}: {error}") from None


def _check_whole(profile: Profile) -> None:
    """Raises ProfileError if keys contradict each other, or a list has an unknown value."""
    sign = profile.bboss.sign
    for method in sign.methods:
        if method.lower() not in SIGN_METHODS:
            raise ProfileError(f"bboss.sign.methods: {method!r} is not one of {', '.join(SIGN_METHODS)}")
    if "sm3" in map(str.lower, sign.methods) and not _has_sm3():
        raise ProfileError("bboss.sign.methods: sm3 is missing here: the OpenSSL of the library cryptography has none")
    for name in profile.files.extensions:
        if name not in EXTENSIONS:
            raise ProfileError(f"files.extensions: {name!r} is not one of {', '.join(EXTENSIONS)}")
    if SECRET not in sign.text and not all(method.lower().startswith("hmac") for method in sign.methods):
        raise ProfileError(f"bboss.sign.text: needs {SECRET}, unless every method is an hmac")
    for name in profile.bboss.content_types:
        if name not in CONTENT_TYPES:
            raise ProfileError(f"bboss.content_types: {name!r} is not one of {', '.join(CONTENT_TYPES)}")
    if CONTENT_TYPES[2] in profile.bboss.content_types and not profile.bboss.form_member:
        raise ProfileError("bboss.form_member: name the member of the form that holds the message")
    how = profile.bpm.callback
    _check_apart("bpm.callback", {"pass": how.passes, "reject": how.rejects, "return": how.returns})
    _check_apart("bpm.callback", {"finished": how.finished, "unfinished": how.unfinished})
    if how.check != "addresses" and not how.header:
        raise ProfileError("bpm.callback.header: name the header that holds the signature or the token")
    both = {*profile.bboss.withdraws} & {*profile.bboss.keeps}
    if both:
        raise ProfileError(f"bboss.keeps: {min(both)!r} is in bboss.withdraws too")
    kinds = profile.bboss.kinds
    values = [*kinds.trial, *kinds.change, *kinds.activation]
    if twice := next((value for value in values if values.count(value) > 1), None):
        raise ProfileError(f"bboss.kinds: {twice!r} means two kinds")
    if not profile.bpm.key_header and profile.bpm.repeats != "ask":
        raise ProfileError(
            'bpm.key_header: without it bpm.repeats must be "ask", since a repeat would start a process more'
        )


def _check_apart(path: str, lists: Mapping[str, Sequence[Any]]) -> None:
    """Raises ProfileError if a value occurs in two lists, because the value would have two meanings."""
    for (name, values), (other, more) in itertools.combinations(lists.items(), 2):
        for value in values:
            if any(equals(value, one) for one in more):
                raise ProfileError(f"{path}.{other}: {value!r} is in {path}.{name} too")


def _has_sm3() -> bool:
    try:
        Hash(SM3())
    except UnsupportedAlgorithm:
        return False
    return True
