"""Which features of many texts a model knows: what :func:`triage_features.features` gives, looked up all at once.

A piece of up to four Chinese characters fits into 64 bits, 16 for each: the pieces of a whole batch are made and found
in a table of such numbers by a few operations on arrays, several times as fast as piece by piece. The table is an
open-addressed one: a key stands at its hash or at one of the next places, before the first empty one.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dispatch.rules.triage_features import LONGEST, ZH, ZH_LAST, english, read

_BITS_EACH: Final = np.uint64(16)
_OWNER_BITS: Final = 32
_LEAST_BITS: Final = 4
_MULTIPLIER: Final = np.uint64(0x9E37_79B9_7F4A_7C15)
"""2^64 over the golden ratio: Knuth's multiplicative hashing, The Art of Computer Programming 3, 6.4."""
_FIRST, _LAST = ord(ZH), ord(ZH_LAST)

Keys = NDArray[np.uint64]
Numbers = NDArray[np.intp]


class FeatureIndex:
    """The features of a model by number. The first name has the number 1."""

    def __init__(self, names: Iterable[str]) -> None:
        """Index ``names``, each of which may stand there once."""
        numbered = list(enumerate(names, start=1))
        pieces = [(number, name) for number, name in numbered if _is_piece(name)]
        self._words = {name: number for number, name in numbered if not _is_piece(name)}
        self._table = _Table(
            np.array([_key(name) for _number, name in pieces], np.uint64),
            np.array([number for number, _name in pieces], np.intp),
        )

    def known(self, folded: Sequence[str]) -> tuple[Numbers, Numbers]:
        """The numbers of the features of each text, one text after another, and where each begins.

        Each text begins with the number 0, which no feature has; the others follow in order, each once.
        """
        texts = [read(text) for text in folded]
        owners = np.arange(len(texts), dtype=np.int64) << _OWNER_BITS
        words: list[int] = []
        counts: list[int] = []
        for text in texts:
            before = len(words)
            words.extend(filter(None, map(self._words.get, english(text))))
            counts.append(len(words) - before)
        together = np.concatenate(
            (owners, self._pieces(texts, owners), np.repeat(owners, counts) | np.array(words, np.int64))
        )
        together = np.unique(together)
        numbers = (together & ((1 << _OWNER_BITS) - 1)).astype(np.intp)
        return numbers, np.flatnonzero(numbers == 0)

    def _pieces(self, texts: Sequence[str], owners: NDArray[np.int64]) -> NDArray[np.int64]:
        """The known pieces of Chinese runs, each with its text's owner above it."""
        ends = "\0" * LONGEST
        codes = np.frombuffer(("\0".join(texts) + ends).encode("utf-32-le", "surrogatepass"), np.uint32)
        is_zh = (codes >= _FIRST) & (codes <= _LAST)
        at = np.flatnonzero(is_zh)
        keys = codes[at].astype(np.uint64)
        every_key, every_place = [keys], [at]
        for length in range(1, LONGEST):
            goes_on = is_zh[at + length]
            at = at[goes_on]
            keys = (keys[goes_on] << _BITS_EACH) | codes[at + length]
            every_key.append(keys)
            every_place.append(at)
        where, numbers = self._table.find(np.concatenate(every_key))
        whose = np.repeat(owners, [len(text) + 1 for text in texts])
        found: NDArray[np.int64] = whose[np.concatenate(every_place)[where]] | numbers
        return found


class _Table:
    """Numbers by key, half or less of its places taken: small enough to stay near the processor. No key is 0."""

    def __init__(self, keys: Keys, numbers: Numbers) -> None:
        bits = max(_LEAST_BITS, (2 * len(keys)).bit_length())
        self._shift = np.uint64(64 - bits)
        self._mask = (1 << bits) - 1
        self._keys = np.zeros(1 << bits, np.uint64)
        self._numbers = np.zeros(1 << bits, np.int32)
        slots = self._slots(keys)
        while len(keys):  # all that meet at a free place: the first one gets it, the others go on to the next
            free = np.flatnonzero(self._keys[slots] == 0)
            taken, first = np.unique(slots[free], return_index=True)
            placed = free[first]
            self._keys[taken], self._numbers[taken] = keys[placed], numbers[placed]
            left = np.ones(len(keys), bool)
            left[placed] = False
            keys, numbers, slots = keys[left], numbers[left], (slots[left] + 1) & self._mask

    def find(self, keys: Keys) -> tuple[Numbers, Numbers]:
        """Which of ``keys`` are there, as places in the given array, and their numbers."""
        places, slots = np.arange(len(keys)), self._slots(keys)
        found: list[Numbers] = []
        numbers: list[Numbers] = []
        while len(places):
            there = self._keys[slots]
            hit = there == keys
            found.append(places[hit])
            numbers.append(self._numbers[slots[hit]])
            left = np.flatnonzero(~hit & (there != 0))
            places, keys, slots = places[left], keys[left], (slots[left] + 1) & self._mask
        return _joined(found), _joined(numbers)

    def _slots(self, keys: Keys) -> Numbers:
        return ((keys * _MULTIPLIER) >> self._shift).astype(np.intp)


def _joined(parts: Sequence[Numbers]) -> Numbers:
    return np.concatenate(parts) if parts else np.empty(0, np.intp)


def _is_piece(name: str) -> bool:
    return 0 < len(name) <= LONGEST and all(ZH <= each <= ZH_LAST for each in name)


def _key(piece: str) -> int:
    key = 0
    for each in piece:
        key = key << int(_BITS_EACH) | ord(each)
    return key
