"""Whoever asks for help gets an example; whoever mistypes is told what there is."""

import pytest
from click import Group
from click.testing import CliRunner

from dispatch import __version__
from dispatch.cli import TABLE, main


def _asked(*words):
    return CliRunner().invoke(main, [*words, "--help"], catch_exceptions=False)


@pytest.mark.parametrize("name", TABLE)
def test_every_command_tells_what_it_does_and_shows_an_example(name):
    result = _asked(name)
    assert result.exit_code == 0
    assert f"Example:\n    dispatch {name}" in result.output or "| dispatch publish -" in result.output


@pytest.mark.parametrize(
    ("group", "name"),
    [("policy", "show"), ("policy", "activate"), ("roster", "publish"), ("hooks", "test"), ("hooks", "route")],
)
def test_commands_within_a_group_show_an_example_too(group, name):
    assert f"Example:\n    dispatch {group} {name}" in _asked(group, name).output


def test_the_list_of_commands_is_the_table():
    result = _asked()
    for name, entry in TABLE.items():
        assert f"  {name} " in result.output
        assert entry.help.split(":")[0] in result.output


def test_all_that_print_can_print_json():
    silent = {"demo", "worker"}
    for name in TABLE.keys() - silent:
        found = main.get_command(None, name)
        commands = found.commands.values() if isinstance(found, Group) else [found]
        for command in commands:
            assert any("--json" in option.opts for option in command.params), (name, command.name)


def test_an_unknown_command_is_a_usage_error_that_names_the_known_ones():
    result = CliRunner().invoke(main, ["oders"])
    assert result.exit_code == 2
    assert "no command 'oders'" in result.output
    assert "orders" in result.output


def test_the_version_is_told():
    assert CliRunner().invoke(main, ["--version"]).output == f"dispatch {__version__}\n"


def test_an_unknown_role_is_a_usage_error_that_names_the_known_ones():
    result = CliRunner().invoke(main, ["worker", "--roles", "intake,dsk"])
    assert result.exit_code == 2
    assert "no role dsk; there are: intake, desk, clock, notify" in result.output
