"""`dispatch check` finds every error of a config folder, and says where it stands."""

import shutil

import pytest


@pytest.fixture
def folder(tmp_path, invoke):
    return shutil.copytree(invoke.environ["DISPATCH_CONFIG"], tmp_path / "config")


def _replace(path, old, new):
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
    return text[: text.index(old)].count("\n") + 1


def test_the_shipped_folder_is_in_order(invoke):
    result = invoke("check")
    assert result.exit_code == 0
    assert "version\t" in result.output
    assert "technicians\t" in result.output


def test_the_summary_is_one_json_document(invoke):
    (summary,) = invoke.lines("check")
    assert len(summary["version"]) == 16
    assert summary["territories"] >= 1
    assert summary["technicians"] >= 1


def test_every_error_of_every_file_is_told_with_file_and_line(invoke, folder):
    first = _replace(folder / "sla.yaml", "ladder: standard", "ladder: standrad")
    second = _replace(folder / "site.yaml", "default_territory: north", "default_territory: nowhere")
    result = invoke("check", folder)
    assert result.exit_code == 1
    assert f"{folder / 'sla.yaml'}:{first}:" in result.output
    assert "unknown ladder 'standrad'" in result.output
    assert "did you mean 'standard'" in result.output
    assert f"{folder / 'site.yaml'}:{second}:" in result.output
    assert "2 errors" in result.stderr


def test_errors_are_json_lines_when_asked_for(invoke, folder):
    line = _replace(folder / "sla.yaml", "ladder: standard", "laddr: standard")
    faults = invoke.lines("check", folder, code=1)
    assert ("sla.yaml", line) in [(fault["file"], fault["line"]) for fault in faults]
    assert all(fault["column"] and fault["expected"] for fault in faults)


def test_the_roster_is_checked_against_the_policy(invoke, folder):
    line = _replace(folder / "roster.yaml", "trade: plumbing, level: 5", "trade: plumming, level: 5")
    result = invoke("check", folder)
    assert result.exit_code == 1
    assert f"roster.yaml:{line}:" in result.output


def test_a_folder_without_files_says_which_are_missing(invoke, tmp_path):
    result = invoke("check", tmp_path)
    assert result.exit_code == 1
    assert "site.yaml: the file is missing" in result.output
