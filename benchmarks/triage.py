"""How well reports are understood: our held-out texts, and the labelled texts of others where there are any.

Judged by `classify`, as the engine asks it, from the text alone; beside a logistic regression on character TF-IDF that
learns from the same texts (it needs scikit-learn, of the extra `train`). Prints one JSON line.
"""

import argparse
import csv
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.common import machine, median, percentile, report, say
from corpus.framing import framed
from corpus.reading import Core, cores, pieces
from dispatch.config import load_config
from dispatch.rules.policy import Policy
from dispatch.rules.triage import Classification, classify, hear
from dispatch.rules.triage_file import shipped
from dispatch.rules.triage_model import OUT_OF_SCOPE, UNCLEAR

try:
    from benchmarks import tfidf
except ImportError:
    tfidf = None

ROOT = Path(__file__).parents[1]
DEV = ROOT.parent / "shared" / "data" / "triage"


@dataclass(frozen=True, kw_only=True)
class Case:
    """One labelled text. ``trades`` and ``urgencies`` are all that are right, the best one first."""

    text: str
    trades: tuple[str, ...]
    urgencies: tuple[str, ...]
    kind: str = "repair"
    phenomenon: str = ""


Judged = tuple[Case, Classification]


def case_of(core: Core) -> Case:
    return Case(text=core.text, trades=(*core.trades, *core.also_ok), urgencies=core.urgencies, kind=core.kind,
                phenomenon=core.phenomenon)  # fmt: skip


def read_dev(path: Path) -> list[Case]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [
            Case(text=row["text"], trades=(row["trade"], *several(row["also_ok"])),
                 urgencies=(row["urgency"], *several(row["urgency_also_ok"])))
            for row in csv.DictReader(file)
        ]  # fmt: skip


def several(cell: str) -> list[str]:
    return [each for each in cell.split("|") if each]


def judge(policy: Policy, cases: Iterable[Case]) -> list[Judged]:
    return [(case, classify(policy, text=case.text)) for case in cases]


def answer(said: Classification) -> str | None:
    """A trade, out_of_scope, or None where the front desk is asked without an answer."""
    return OUT_OF_SCOPE if said.out_of_scope else said.trade


def share(flags: Iterable[bool]) -> float | None:
    """None of nothing."""
    found = list(flags)
    return round(sum(found) / len(found), 4) if found else None


def trades(judged: Sequence[Judged]) -> dict[str, object]:
    """``right`` counts an abstention as not right; ``accuracy`` leaves it out. "Out of scope" is an answer."""
    covered = [(case, said) for case, said in judged if answer(said) is not None]
    return {"n": len(judged), "coverage": share(answer(said) is not None for _, said in judged),
            "accuracy": share(answer(said) in case.trades for case, said in covered),
            "right": share(answer(said) in case.trades for case, said in judged)}  # fmt: skip


def out_of_scope_f1(judged: Sequence[Judged], *, lenient: bool) -> float | None:
    """Of the answer "out of scope"; a lenient count takes what also_ok allows for right, either way."""
    pairs = [(answer(said), case.trades) for case, said in judged]
    hits = sum(one == OUT_OF_SCOPE and (right[0] == OUT_OF_SCOPE or (lenient and one in right)) for one, right in pairs)
    said = sum(one == OUT_OF_SCOPE for one, _ in pairs)
    missed = sum(right[0] == OUT_OF_SCOPE != one and not (lenient and one in right) for one, right in pairs)
    return round(2 * hits / (said + hits + missed), 4) if said + hits + missed else None


def alarms(judged: Sequence[Judged]) -> dict[str, object]:
    """Missed and false ones; a text that only might be called an emergency counts in neither."""
    said_so = [(case, said.urgency == "emergency") for case, said in judged]
    real = [said for case, said in said_so if case.urgencies[0] == "emergency"]
    calm = [said for case, said in said_so if "emergency" not in case.urgencies]
    return {"n": len(real), "recall": share(real), "calm": len(calm), "false_alarms": share(calm)}


def figures(judged: Sequence[Judged]) -> dict[str, object]:
    """All of one set; texts for no craft are not scored by urgency, but should go to the front desk."""
    repairs = [each for each in judged if each[0].trades[0] != OUT_OF_SCOPE]
    others = [each for each in judged if each[0].trades[0] == OUT_OF_SCOPE]
    return {"trade": trades(judged), "trade_of_repairs": trades(repairs), "emergency": alarms(judged),
            "urgency": share(said.urgency in case.urgencies for case, said in repairs),
            "out_of_scope_f1": out_of_scope_f1(judged, lenient=False),
            "out_of_scope_f1_with_also_ok": out_of_scope_f1(judged, lenient=True),
            "out_of_scope_to_desk": share(said.trade is None for _, said in others)}  # fmt: skip


def hard_negatives(judged: Sequence[Judged]) -> dict[str, object]:
    """Calm texts that sound like alarms: the share of them that alarmed."""
    plain = {"paraphrase", "emergency", "out_of_scope", "plain"}
    found = alarms([each for each in judged if each[0].phenomenon not in plain])
    return {"n": found["calm"], "false_alarms": found["false_alarms"]}


def baseline(told: Sequence[tuple[str, str]], cases: Sequence[Case]) -> float | None:
    """The share of ``cases`` that the baseline gets right; ``told``: trades and texts. None without scikit-learn."""
    if tfidf is None:
        return None
    said = tfidf.answers(told, [case.text for case in cases])
    return share(one in case.trades for one, case in zip(said, cases, strict=True))


ORDINARY = "ordinary"  # the phenomenon of tickets in everybody's words, whose figures are their own
BATCH = 256  # as many as a busy lane takes at once (DISPATCH_BATCH_RECORDS)


def speed(policy: Policy, texts: Sequence[str], rounds: int) -> tuple[list[float], dict[str, object]]:
    """Texts per second of processor time in batches, round by round; single calls in microseconds."""
    rates, calls_us = [], []
    for _ in range(rounds):
        start_s = time.process_time()
        for at in range(0, len(texts), BATCH):
            batch = texts[at : at + BATCH]
            for text, heard in zip(batch, hear(batch), strict=True):
                classify(policy, text=text, heard=heard)
        rates.append(round(len(texts) / (time.process_time() - start_s)))
    for text in texts:
        start_ns = time.perf_counter_ns()
        classify(policy, text=text)
        calls_us.append((time.perf_counter_ns() - start_ns) / 1e3)
    return rates, {"per_s": median(rates), "p50_us": round(percentile(calls_us, 500), 1),
                   "p99_us": round(percentile(calls_us, 990), 1)}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of the measure of speed")
    parser.add_argument("--dev", type=Path, default=DEV, help="the folder of the labelled texts of others (*_dev.csv)")
    asked = parser.parse_args()
    policy = load_config(ROOT / "config")
    corpus = list(cores())
    held_out = judge(policy, [case_of(core) for core in corpus if core.split == "test"])
    ordinary = [each for each in held_out if each[0].phenomenon == ORDINARY]
    ours = [each for each in held_out if each[0].phenomenon != ORDINARY]
    sets = {path.stem: judge(policy, read_dev(path)) for path in sorted(asked.dev.glob("*_dev.csv"))}
    others = ", ".join(sets) or f"none in {asked.dev}"
    say(f"{len(ours)} held-out texts, {len(ordinary)} ordinary ones besides; of others: {others}")
    oblique = [each for each in ours if each[0].phenomenon == "paraphrase"]
    paraphrases = trades(oblique)
    told = [(core.trades[0], core.text) for core in corpus if core.split == "open"]
    told += [(trade, text) for trade, text in pieces("trade") if trade != UNCLEAR]
    told += [(answer, text) for question, answer, text in framed() if question == "trade" and answer != UNCLEAR]
    rival = baseline(told, [case for case, _ in oblique])
    runs, calls = speed(policy, [case.text for judged in (ours, *sets.values()) for case, _ in judged], asked.rounds)
    report(
        name="triage",
        ratio=None if rival is None else round((1 - paraphrases["right"]) / max(1 - rival, 1e-9), 4),
        baseline_right=rival,
        engine=calls["per_s"],
        unit="texts/s",
        runs=runs,
        classifier=shipped().version,
        paraphrases=paraphrases,
        held_out=figures(ours),
        ordinary=figures(ordinary),
        hard_negatives=hard_negatives(ours),
        kind_held_out=share(said.kind == case.kind for case, said in ours),
        speed=calls,
        **{name: figures(judged) for name, judged in sets.items()},
        machine=machine(),
    )


if __name__ == "__main__":
    main()
