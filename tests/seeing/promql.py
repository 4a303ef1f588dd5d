"""What an expression in PromQL asks for, as far as is needed to hold it against the metrics that exist."""

import re

from dispatch.metrics import LABELS

TARGET = {"instance", "job"}
"""Labels that Prometheus itself adds."""
OUTSIDE = {"up": TARGET}
_METRIC = re.compile(r"(?<![\w$\"])([a-z_]+(?<!_))(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"')
_BY = re.compile(r"\bby\s*\(([^)]*)\)\s*\(")
_SHOWN = re.compile(r"\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}")
_WORDS = {
    *(
        "by",
        "on",
        "group_left",
        "and",
        "or",
        "sum",
        "max",
        "count",
        "rate",
        "deriv",
        "increase",
        "topk",
        "absent",
        "offset",
        "abs",
    ),
    "histogram_quantile",
}


def selectors(expression):
    """(metric, {label: value matched}) of each series that is asked for."""
    bare = re.sub(r"\b(?:by|on|group_left)\s*\([^)]*\)", " ", re.sub(r"\[[^\]]*\]", "", expression))
    named = [match for match in _METRIC.finditer(bare) if match[1] not in _WORDS]
    return [(match[1], dict(_MATCHER.findall(match[2] or ""))) for match in named]


def aggregations(expression):
    """(labels, inner expression) of each ``by (…) (…)``."""
    for match in _BY.finditer(expression):
        depth, at = 1, match.end()
        while depth:
            depth += {"(": 1, ")": -1}.get(expression[at], 0)
            at += 1
        yield [one.strip() for one in match[1].split(",") if one.strip()], expression[match.end() : at - 1]


def labels_of(metric):
    """Every label that a series of the metric has; KeyError when there is no such metric."""
    return set(LABELS[metric]) | TARGET if metric in LABELS else OUTSIDE[metric]


def left(expression):
    """The labels that a result has left: those it is aggregated by, else those of its metrics."""
    by = [set(labels) for labels, _inner in aggregations(expression)]
    if by:
        return set.union(*by)
    if re.match(r"\s*(sum|max|count)\s*\(", expression):
        return set()
    return set.union(*(labels_of(metric) for metric, _matched in selectors(expression)))


def faults(expression, *texts):
    """What is wrong: metrics that do not exist, labels that theirs do not have, texts that show labels not left."""
    unknown = [metric for metric, _matched in selectors(expression) if metric not in LABELS | OUTSIDE]
    if unknown or not selectors(expression):
        return [f"no metric {metric}" for metric in unknown] or ["asks for no metric"]
    found = []
    for metric, matched in selectors(expression):
        found += [f"{metric} has no label {label}" for label in matched.keys() - labels_of(metric)]
    for labels, inner in aggregations(expression):
        for metric, _matched in selectors(inner):
            found += [f"{metric} has no label {label}" for label in set(labels) - labels_of(metric)]
    for match in re.finditer(r"histogram_quantile\([^,]+,\s*sum by \(([^)]*)\)", expression):
        if "le" not in match[1].replace(",", " ").split():
            found.append("histogram_quantile without le")
    for text in texts:
        found += [f"shows {name}, which is not left" for name in _SHOWN.findall(text) if name not in left(expression)]
    return found
