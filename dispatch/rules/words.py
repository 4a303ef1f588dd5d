"""The lexicon, compiled: which of its words stand in a text, in Chinese and in English alike.

Chinese words are found anywhere, the longest at each place; English ones are phrases of whole words, compared in
their base form (leaks, leaked and leaking are leak) and without the small words between. Words of a trade hide
shorter words inside them, so that a smoke detector is no smoke.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

import msgspec
from ahocorasick_rs import AhoCorasick, MatchKind

from dispatch.models.policy_words import Words
from dispatch.rules.policy import Policy


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


TEXT_LIMIT = 4_000
"""How many characters of a text are read."""

_TOKEN = re.compile(r"[a-z0-9]+|[.,;:!?\n]")
_LATIN = re.compile("[a-z]")
_HALF = re.compile("[\ud800-\udfff]")
_CLAUSE = re.compile(r"[,.;:!?\n。；]")
_WORD_WEIGHT = (0, 4, 8, 10, 12)
_SMALL = _set(
    "a an the my our your his her their this that these those is are was were be been being am has have had of "
    "some very so really just again still also seems seem to keeps keep i we it its there s"
)
_BREAKS = frozenset(".,;:!?\n") | {"but", "however", "though"}
_ZH_FILLER = (
    "任何|什么|闻到|闻见|发现|看到|看见|听到|出现|发生|存在|明显|一点|一丝|丝毫|异常|疑似|"
    "造成|引起|引发|人员|其他|人|有|是|的|在|被|再"
)
_ZH_PAST = re.compile("(?:之前|以前|原来|昨天|刚才|平时|本来|早上|昨晚|一开始)[^,。;]*$")
_ZH_CHAIN = re.compile(rf"^(?:的)?(?:和|或者|或|及|与|以及|、)(?:{_ZH_FILLER})*$")
_EN_FILLER = _set(
    "any anything sign signs smell smells smelling see seeing seen hear visible obvious evidence one body person "
    "people we can could currently actual more longer yet apparent detected found trace traces noticed"
)
_EN_PAST = frozenset({"until", "before", "yesterday", "earlier", "previously"})
_NEAR_ZH, _NEAR_EN = 16, 5


class Mark(msgspec.Struct, frozen=True):
    """What a word points to: ``kind`` is site, trade, symptom, emergency, urgency, site_urgency or task."""

    kind: str
    name: str


class Word(msgspec.Struct, frozen=True):
    """A word of the lexicon, with all that is said of it when it is found.

    An English one is its words in their base form, a space between. ``votes`` are the trades that a word for a thing
    points to, each with the weight that it adds; ``evidence`` names them for people.
    """

    text: str
    marks: tuple[Mark, ...]
    weight: int
    votes: tuple[tuple[str, int], ...]
    evidence: tuple[str, ...]


class Hit(msgspec.Struct, frozen=True):
    """A word found in a text. ``at`` and ``end`` are characters in Chinese, tokens in English."""

    word: Word
    at: int
    end: int
    is_english: bool
    negated: bool = False


class _Finder:
    """The words of one layer in one language, all found in one pass: the longest at each place, none inside another."""

    def __init__(self, words: Iterable[Word], *, is_english: bool) -> None:
        self._words, self._is_english = list(words), is_english
        texts = [_framed(word.text.split(" ")) if is_english else word.text for word in self._words]
        self._search = AhoCorasick(texts, matchkind=MatchKind.LeftmostLongest, store_patterns=False)

    def find(self, text: str) -> list[Hit]:
        """The hits in a text, in English one of words that were :func:`_framed`, by whose numbers they are told."""
        try:
            found = self._search.find_matches_as_indexes(text)
        except UnicodeEncodeError:  # half of a pair: no character, and UTF-8 has no bytes for it
            found = self._search.find_matches_as_indexes(_HALF.sub("?", text))
        if self._is_english:
            found = [(number, text.count("<", 0, at), text.count("<", 0, end)) for number, at, end in found]
        return [Hit(self._words[number], at, end, self._is_english) for number, at, end in found]


def _framed(tokens: Sequence[str]) -> str:
    """Words as one text in which only whole ones match, and two that follow each other share nothing."""
    return f"<{'><'.join(tokens)}>"


class WordIndex:
    """All the words of a policy's lexicon by how they begin; use through ``policy.compiled(WordIndex)``.

    There are two layers, scanned independently: what a thing is (trades, symptoms, neutral words), and how bad it
    is (emergencies, urgency, tasks that take more).
    """

    def __init__(self, policy: Policy) -> None:
        """Compile the lexicon of ``policy``."""
        lexicon = policy.document.lexicon
        things = [(words, Mark("trade", name)) for name, words in lexicon.trades.items()]
        things += [(words, Mark("site", name)) for name, words in lexicon.site.items()]
        things += [(words, Mark("symptom", name)) for name, words in lexicon.symptoms.items()]
        things.append((lexicon.neutral, Mark("neutral", "")))
        alarms: list[tuple[Words, Mark]] = [
            (words, Mark("emergency", name)) for name, words in lexicon.emergencies.items()
        ]
        alarms += [(words, Mark("urgency", name)) for name, words in lexicon.urgency.items()]
        alarms += [(words, Mark("site_urgency", name)) for name, words in lexicon.site_urgency.items()]
        alarms += [(words, Mark("task", name)) for name, words in lexicon.tasks.items()]
        self._forms = _forms([*(words for words, _ in things), *(words for words, _ in alarms)])
        self._zh_things, self._zh_alarms = (_Finder(_zh(layer), is_english=False) for layer in (things, alarms))
        self.hazards = frozenset(each.hazard for each in lexicon.emergencies.values())
        english = [_en(layer, self._forms) for layer in (things, alarms)]
        self._en_things, self._en_alarms = (_Finder(words, is_english=True) for words in english)
        self._en_is_latin = all(_LATIN.search(word.text) for words in english for word in words)
        self._base = self._forms | dict.fromkeys(_SMALL, "")
        negations = sorted({fold(each) for each in lexicon.negations.zh}, key=lambda each: (-len(each), each))
        self._zh_negations = tuple(negations)
        either = "|".join(map(re.escape, negations)) or "(?!)"
        self._zh_negated = re.compile(rf"({either})(?:{_ZH_FILLER}){{0,4}}$")
        self._en_negations = frozenset(fold(each).replace("'", "") for each in lexicon.negations.en)

    def scan(self, text: str) -> tuple[list[Hit], list[Hit]]:
        """The things and the alarms that a folded text names, each in order of place; never fails."""
        things, alarms = self._zh_things.find(text), self._zh_alarms.find(text)
        if alarms:
            alarms = self._judge(_uncovered(alarms, things), text, ())
        tokens = self.tokens(text)
        if tokens:
            framed = _framed(tokens)
            en_things, en_alarms = self._en_things.find(framed), self._en_alarms.find(framed)
            things += en_things
            if en_alarms:
                alarms += self._judge(_uncovered(en_alarms, en_things), text, tokens)
        return things, alarms

    def tokens(self, text: str) -> tuple[str, ...]:
        """The English words of a folded text in their base form, without the small ones; hits count by them."""
        if self._en_is_latin and not _LATIN.search(text):
            return ()
        base = self._base.get
        plain = text.replace("'", "").replace("a/c", "ac")
        return tuple([form for each in _TOKEN.findall(plain) if (form := base(each, each))])

    def _judge(self, hits: list[Hit], text: str, tokens: tuple[str, ...]) -> list[Hit]:
        """The same hits, those marked that the words before them deny."""
        judged: list[Hit] = []
        for hit in hits:
            last = judged[-1] if judged else None
            if hit.is_english:
                denied = self._denied_en(hit, tokens) or (_chained_en(last, hit, tokens))
            else:
                denied = self._denied_zh(hit, text) or (_chained_zh(last, hit, text))
            judged.append(msgspec.structs.replace(hit, negated=True) if denied else hit)
        return judged

    def _denied_zh(self, hit: Hit, text: str) -> bool:
        """没有闻到煤气味 denies; 有没有煤气味 asks, 不是没有 denies the denial, 之前没有 tells of the past."""
        before = _CLAUSE.split(text[max(0, hit.at - _NEAR_ZH) : hit.at])[-1]
        found = self._zh_negated.search(before)
        if found is None:
            return False
        said, ahead = found[1], before[: found.start(1)]
        asks = len(said) > 1 and ahead.endswith(said[1])
        return not asks and not ahead.endswith(self._zh_negations) and not _ZH_PAST.search(ahead)

    def _denied_en(self, hit: Hit, tokens: tuple[str, ...]) -> bool:
        if any(each in _EN_PAST for each in tokens[hit.end : hit.end + 2]):
            return False
        for token in reversed(tokens[max(0, hit.at - _NEAR_EN) : hit.at]):
            if token in self._en_negations:
                return True
            if token in _BREAKS or token not in _EN_FILLER:
                return False
        return False


def fold(text: str) -> str:
    """A text as it is compared: at most :data:`TEXT_LIMIT` characters, NFKC, casefolded, one kind of apostrophe."""
    cut = text[:TEXT_LIMIT]
    if cut.isascii():
        return cut.lower()
    # What nearly every Chinese text has, replaced as NFKC does: the check is ten times quicker than the work.
    cut = cut.replace("，", ",").replace("！", "!").replace("？", "?").replace("：", ":").replace("’", "'")
    if not unicodedata.is_normalized("NFKC", cut):
        cut = unicodedata.normalize("NFKC", cut)
    return cut.casefold()


def _chained_zh(last: Hit | None, hit: Hit, text: str) -> bool:
    return last is not None and last.negated and bool(_ZH_CHAIN.match(text[last.end : hit.at]))


def _chained_en(last: Hit | None, hit: Hit, tokens: tuple[str, ...]) -> bool:
    if last is None or not last.negated:
        return False
    between = tokens[last.end : hit.at]
    return bool(between) and between[0] in {"or", "nor"} and all(each in _EN_FILLER for each in between[1:])


def _uncovered(alarms: list[Hit], things: list[Hit]) -> list[Hit]:
    """The alarms that are not inside a longer word for a thing."""
    return [
        alarm
        for alarm in alarms
        if not any(
            thing.at <= alarm.at and alarm.end <= thing.end and thing.end - thing.at > alarm.end - alarm.at
            for thing in things
        )
    ]


def _marked(words: Iterable[tuple[str, Mark]]) -> dict[str, tuple[Mark, ...]]:
    found: dict[str, tuple[Mark, ...]] = {}
    for word, mark in words:
        if word and mark not in found.get(word, ()):
            found[word] = (*found.get(word, ()), mark)
    return found


def _zh(lists: list[tuple[Words, Mark]]) -> list[Word]:
    """A Chinese word weighs two for each character."""
    listed = _marked((fold(word), mark) for words, mark in lists for word in words.zh)
    return [_word(word, marks, 2 * len(word)) for word, marks in listed.items()]


def _en(lists: list[tuple[Words, Mark]], forms: dict[str, str]) -> list[Word]:
    """An English phrase weighs four for its first words and less for those after."""
    phrases = _marked(
        (" ".join(forms.get(each, each) for each in _phrase(word)), mark) for words, mark in lists for word in words.en
    )
    found: list[Word] = []
    for phrase, marks in phrases.items():
        count = phrase.count(" ") + 1
        found.append(_word(phrase, marks, _WORD_WEIGHT[min(count, len(_WORD_WEIGHT) - 1)]))
    return found


def _word(text: str, marks: tuple[Mark, ...], weight: int) -> Word:
    """The weight is for a trade; a symptom has half of it."""
    shares = {"trade": weight, "symptom": weight // 2}
    return Word(
        text=text,
        marks=marks,
        weight=weight,
        votes=tuple((mark.name, shares[mark.kind]) for mark in marks if mark.kind in shares),
        evidence=tuple(f"{text}→{mark.name}" for mark in marks if mark.name),
    )


def _phrase(word: str) -> list[str]:
    plain = fold(word).replace("'", "").replace("a/c", "ac")
    tokens = _TOKEN.findall(plain)
    return [each for each in tokens if each not in _SMALL] or tokens


def _forms(words: list[Words]) -> dict[str, str]:
    """The base form of every inflection of every English word of the lexicon; a shorter word is the base."""
    tokens = {token for each in words for word in each.en for token in _phrase(word)}
    forms: dict[str, str] = {}
    for token in sorted(tokens, key=lambda each: (len(each), each)):
        if token not in forms and token.isalpha():
            for form in _inflections(token):
                forms.setdefault(form, token)
    return forms


def _inflections(word: str) -> Iterator[str]:
    """Plural, third person, past and -ing of an English word by the rules of spelling; some are no words."""
    if len(word) < 3:  # noqa: PLR2004 - too short to inflect safely
        return
    if word[-1] == "y" and word[-2] not in "aeiou":
        yield from (word[:-1] + "ies", word[:-1] + "ied")
    elif word.endswith(("s", "x", "z", "ch", "sh")):
        yield word + "es"
    else:
        yield word + "s"
    stem = word[:-1] if word[-1] == "e" and word[-2] != "e" else word
    yield from (stem + "ed", stem + "ing")
    if word[-1] not in "aeiouwxy" and word[-2] in "aeiou" and word[-3] not in "aeiou":
        yield from (word + word[-1] + "ed", word + word[-1] + "ing")
