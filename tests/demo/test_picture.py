"""The picture in the README is what the board draws of the recorded morning, and nothing from elsewhere is in it."""

import importlib.util
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

SCRIPT = Path(__file__).parents[2] / "docs" / "pictures" / "board.py"


@pytest.fixture(scope="module")
def picture():
    spec = importlib.util.spec_from_file_location("board_picture", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_it_is_what_the_board_draws_now(picture, lang):
    drawn = picture.draw(picture.recorded(), picture.AT, lang)
    path = picture.PICTURES[lang]
    assert drawn == path.read_text("utf-8"), f"{path.name} is stale: python docs/pictures/board.py"


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_it_can_be_shown_anywhere(picture, lang):
    text = picture.PICTURES[lang].read_text("utf-8")
    ET.fromstring(text)
    assert set(re.findall(r"https?://[^\s\"']+", text)) == {"http://www.w3.org/2000/svg"}
    assert "@font-face" not in text
    assert "<script" not in text


def test_the_recording_holds_no_words_of_people(picture):
    events = list(picture.recorded())
    assert len(events) > 500
    assert not any({"text", "reporter", "actor"} & event.data.keys() for event in events)
    assert max(event.time for event in events if event.type.startswith("work-order.")) <= picture.AT
