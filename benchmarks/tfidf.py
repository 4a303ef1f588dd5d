"""The baseline of `benchmarks.triage`: logistic regression on character TF-IDF. It needs the extra `train`."""

from collections.abc import Sequence

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier


def answers(told: Sequence[tuple[str, str]], texts: Sequence[str]) -> list[str]:
    """A trade for each of ``texts``, learnt from ``told``: trades and texts."""
    grams = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), sublinear_tf=True)
    matrix = grams.fit_transform([text for _, text in told])
    each = LogisticRegression(C=10, solver="liblinear", random_state=0)
    learner = OneVsRestClassifier(each).fit(matrix, [trade for trade, _ in told])
    return list(learner.predict(grams.transform(texts)))
