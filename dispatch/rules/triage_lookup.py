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
        numbered = list(enumerate(names, start=1))
        pieces = sorted([(_key(name), number) for number, name in numbered if _is_piece(name)])
        self._words = {name: number for number, name in numbered if not _is_piece(name)}
        # Above all keys stands one that no piece has, so that every search ends at a place that there is.
        self._keys = np.array([*(key for key, _ in pieces), _NO_PIECE], np.uint64)
        self._numbers = np.array([*(number for _, number in pieces), 0], np.int64)

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
        keys, places = np.concatenate(every_key), np.concatenate(every_place)
        nearest = np.searchsorted(self._keys, keys)
        is_known = self._keys[nearest] == keys
        whose = np.repeat(owners, [len(text) + 1 for text in texts])
        found: NDArray[np.int64] = whose[places[is_known]] | self._numbers[nearest[is_known]]
        return found


def _is_piece(name: str) -> bool:
    return 0 < len(name) <= LONGEST and all(ZH <= each <= ZH_LAST for each in name)


def _key(piece: str) -> int:
    key = 0
    for each in piece:
        key = key << int(_BITS_EACH) | ord(each)
    return key
