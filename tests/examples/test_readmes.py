"""The two READMEs are the same page twice, and name only what there is."""

import re
from pathlib import Path

import pytest

from dispatch.cli import TABLE
from dispatch.topics import TOPICS

ROOT = Path(__file__).parents[2]
ENGLISH, CHINESE = ROOT / "README.md", ROOT / "README.zh.md"


def commands(page):
    """The lines of a page's shell blocks, without comments, and with one space between words."""
    blocks = re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    lines = (re.sub(r"\s+#.*$", "", line) for block in blocks for line in block.splitlines())
    return [" ".join(line.split()) for line in lines]


def links(page):
    """Where a page's links lead, but for the one to the other language."""
    found = re.findall(r"\]\(([^)]+)\)", page.read_text())
    return [one for one in found if not one.startswith("README")]


def arrows(page):
    """The diagram's nodes and topics: what is the same in every language."""
    (diagram,) = re.findall(r"^```mermaid\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    return [
        re.findall(r"\bdispatch\.[a-z-]+|-->|<-->|-\.->|\b(?:intake|desk|clock|redis|notify)\b", line)
        for line in re.sub(r"\[[^\]]*\]", "", diagram).splitlines()
    ]


def test_both_name_the_same_commands_in_the_same_order():
    assert commands(ENGLISH) == commands(CHINESE)
    assert len(commands(ENGLISH)) > 15


def test_both_have_the_same_structure_links_and_topics():
    def shape(page):
        return [line.split()[0] for line in page.read_text().splitlines() if re.match(r"#+ |\| ?-|\|-", line)]

    def rows(page):
        return sum(line.startswith("|") for line in page.read_text().splitlines())

    assert shape(ENGLISH) == shape(CHINESE)
    assert rows(ENGLISH) == rows(CHINESE)
    assert sorted(links(ENGLISH)) == sorted(link.replace(".zh.svg", ".svg") for link in links(CHINESE))
    assert sorted(set(re.findall(r"dispatch\.[a-z-]+", ENGLISH.read_text()))) == sorted(
        set(re.findall(r"dispatch\.[a-z-]+", CHINESE.read_text()))
    )
    assert arrows(ENGLISH) == arrows(CHINESE)


def test_each_leads_to_the_other():
    assert "(README.zh.md)" in ENGLISH.read_text()
    assert "(README.md)" in CHINESE.read_text()


@pytest.mark.parametrize("page", [ENGLISH, CHINESE], ids=["en", "zh"])
def test_what_a_readme_names_exists(page):
    text = page.read_text()
    for link in links(page):
        assert (ROOT / link).exists(), link
    for name in re.findall(r"^(?:.*\| )?dispatch ([a-z-]+)", "\n".join(commands(page)), re.MULTILINE):
        assert name in TABLE, name
    for name in re.findall(r"`dispatch ([a-z-]+)", text):
        assert name in TABLE, name
    for target in re.findall(r"(?:^|`)make ([a-z]+)", text, re.MULTILINE):
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE), target
    for topic in re.findall(r"^\| (dispatch\.[a-z., -]+?) \|", text, re.MULTILINE):
        for name in topic.split(", "):
            assert name in TOPICS, name
    for example in re.findall(r"python (examples/\w+\.py)", text):
        assert (ROOT / example).is_file(), example
