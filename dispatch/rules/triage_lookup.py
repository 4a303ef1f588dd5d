"""Which features of many texts a model knows: what :func:`triage_features.features` gives, looked up all at once.

A piece of up to four Chinese characters fits into 64 bits, 16 for each: the pieces of a whole batch are made and found
among sorted numbers by a few operations on arrays, faster than piece by piece.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dispatch.rules.triage_features import LONGEST, ZH, ZH_LAST, english, read, set_aside

_BITS_EACH: Final = np.uint64(16)
_OWNER_BITS: Final = 32
_FIRST, _LAST = ord(ZH), ord(ZH_LAST)

_NO_PIECE: Final = 2**64 - 1

Numbers = NDArray[np.intp]


class FeatureIndex:
    """The features of a model by number. The first name has the number 1."""

    def __init__(self, names: Iterable[str]) -> None:
        """Index ``names``, each of which may stand there once."""
        listed = list(names)
        keys = _keys(listed)
        numbers = np.arange(1, len(listed) + 1, dtype=np.int64)
        is_piece = keys > 0
        self._words = {listed[at]: at + 1 for at in np.flatnonzero(~is_piece).tolist()}
        order = np.argsort(keys[is_piece])
        # Above all keys stands one that no piece has, so that every search ends at a place that there is.
        self._keys = np.append(keys[is_piece][order], np.uint64(_NO_PIECE))
        self._numbers = np.append(numbers[is_piece][order], 0)

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
            words.extend(filter(None, map(self._words.get, english(text) + set_aside(text))))
            counts.append(len(words) - before)
        together = np.concatenate(
            (owners, self._pieces(texts, owners), np.repeat(owners, counts) | np.array(words, np.int64))
        )
        together.sort()  # what np.unique does by hashing, four times faster for so few
        together = together[np.diff(together, append=-1) != 0]
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
        keys, places = np.concatenate(every_key), np.concatenate(every_place)
        order = keys.argsort()  # one after another they are found in half the time: near ones lie in the same memory
        keys, places = keys[order], places[order]
        nearest = np.searchsorted(self._keys, keys)
        is_known = self._keys[nearest] == keys
        whose = np.repeat(owners, [len(text) + 1 for text in texts])
        found: NDArray[np.int64] = whose[places[is_known]] | self._numbers[nearest[is_known]]
        return found


def _keys(names: Sequence[str]) -> NDArray[np.uint64]:
    """The key of each name that is a piece, 0 of all others; character by character of all names at once."""
    lengths = np.array([len(name) for name in names], np.intp)
    codes = np.frombuffer("".join([*names, "\0" * LONGEST]).encode("utf-32-le", "surrogatepass"), np.uint32)
    starts = np.cumsum(lengths) - lengths
    keys = np.zeros(len(names), np.uint64)
    is_piece = (lengths > 0) & (lengths <= LONGEST)
    for place in range(LONGEST):
        code = codes[starts + np.minimum(place, lengths)]
        has = lengths > place
        is_piece &= ~has | ((code >= _FIRST) & (code <= _LAST))
        keys = np.where(has, (keys << _BITS_EACH) | code, keys)
    return np.where(is_piece, keys, np.uint64(0))
