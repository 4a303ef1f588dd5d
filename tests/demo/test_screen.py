"""A terminal gets the board, a pipe gets lines, and each is asked for in the language of its reader."""

import io
import time

import pytest
from click.testing import CliRunner
from rich.console import Console

from dispatch.cli import main
from dispatch.demo import runner
from dispatch.demo.listening import LOGGED
from dispatch.demo.progress import Progress
from dispatch.demo.screen import Screen
from dispatch.demo.stage import Heard
from dispatch.settings import language
from dispatch.topics import DELIVERIES, WORK_ORDERS
from tests.demo.test_board import NAMES, TEN
from tests.support.clocks import Still


class Stage:
    def now(self):
        return TEN


def terminal(**more):
    return Console(file=io.StringIO(), force_terminal=True, width=100, height=40, legacy_windows=False, **more)


def opened(urgency="normal"):
    return Heard(
        topic=WORK_ORDERS, type="work-order.opened", id="campus:north:1", territory="north", subject="a", time=TEN,
        data={"display_no": "NORTH-00001", "state": "open", "urgency": urgency, "request_id": "r", "text": "Gas!"},
    )  # fmt: skip


def wait_for(console, text):
    until_s = time.monotonic() + 30
    while text not in console.file.getvalue():
        assert time.monotonic() < until_s, console.file.getvalue()[-2000:]
        time.sleep(0.02)


@pytest.mark.parametrize(("lang", "said"), [("zh", "校园的一天"), ("en", "A day on campus")])
def test_the_screen_draws_what_it_heard_and_leaves(lang, said):
    console = terminal()
    with Screen(console, NAMES[lang], Still(TEN).now) as screen:
        screen.hear(opened())
        wait_for(console, "NORTH-00001")
    assert said in console.file.getvalue()


async def test_on_a_terminal_events_go_to_the_board_and_say_no_lines(policy):
    console = terminal()
    progress = Progress(console, policy, "en", plain=False)
    assert progress.topics == (*LOGGED, DELIVERIES)
    with progress.shown(Stage()):
        await progress.hear(opened("emergency"))
        await progress.log(opened("emergency"))
        wait_for(console, "NORTH-00001")
    assert "EMERGENCY" not in console.file.getvalue()


@pytest.mark.parametrize(("force_terminal", "plain"), [(False, False), (True, True)])
async def test_in_a_pipe_or_with_plain_there_are_lines_and_no_board(policy, force_terminal, plain):
    console = Console(file=io.StringIO(), force_terminal=force_terminal, width=120, color_system=None)
    progress = Progress(console, policy, "en", plain=plain)
    assert progress.topics == LOGGED
    with progress.shown(Stage()):
        await progress.hear(opened("emergency"))
        await progress.log(opened("emergency"))
        progress.say(progress.line(Stage()))
    said = console.file.getvalue()
    assert "EMERGENCY NORTH-00001" in said
    assert "开单 opened 1" in said
    assert "A day on campus" not in said


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C.UTF-8"}, "en"),
        ({"LANG": "de_DE.UTF-8", "LC_MESSAGES": "zh_TW"}, "zh"),
        ({"LC_ALL": "", "LANG": "ZH"}, "zh"),
    ],
)
def test_the_language_is_that_of_the_locale(environ, wanted):
    assert language(environ) == wanted


@pytest.mark.parametrize(("words", "lang"), [(["--lang", "zh"], "zh"), (["--lang", "en"], "en"), ([], None)])
def test_the_command_hands_the_language_over(monkeypatch, words, lang):
    asked = []
    monkeypatch.setattr(runner, "run_demo", lambda *given: asked.append(given) or 0)
    assert CliRunner().invoke(main, ["demo", *words]).exit_code == 0
    ((_settings, speed, _folder, plain, given),) = asked
    assert (speed, plain, given) == (runner.SPEED, True, lang)


def test_another_language_is_a_usage_error():
    assert CliRunner().invoke(main, ["demo", "--lang", "fr"]).exit_code == 2
