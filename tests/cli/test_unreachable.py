"""A server that does not answer is one line that says what to set, and exit code 3."""

import pytest

REPORT = '{"type": "request", "data": {"channel": "web", "reporter": {"id": "stu-1"}, "text": "no water"}}'


@pytest.mark.parametrize(
    ("words", "variable"),
    [
        (("topics",), "DISPATCH_KAFKA"),
        (("topics", "--create"), "DISPATCH_REDIS"),
        (("policy", "show"), "DISPATCH_KAFKA"),
        (("policy", "activate"), "DISPATCH_KAFKA"),
        (("roster", "publish"), "DISPATCH_KAFKA"),
        (("publish", "-"), "DISPATCH_KAFKA"),
        (("orders",), "DISPATCH_REDIS"),
        (("order", "NORTH-00001"), "DISPATCH_REDIS"),
        (("status",), "DISPATCH_REDIS"),
        (("dead-letters",), "DISPATCH_KAFKA"),
        (("rebuild", "--check"), "DISPATCH_REDIS"),
        (("person", "s1", "--tenant", "t"), "DISPATCH_REDIS"),
        (("erase", "s1", "--tenant", "t"), "DISPATCH_REDIS"),
    ],
)
def test_it_says_which_variable_to_set(nowhere, words, variable):
    result = nowhere(*words, stdin=REPORT)
    assert result.exit_code == 3, result.output
    (line,) = result.stderr.splitlines()
    assert f"set {variable}" in line
    assert "127.0.0.1:1" in line


def test_a_password_in_the_address_is_not_told(nowhere):
    result = nowhere("orders", "--redis", "redis://user:secret@127.0.0.1:1/0")
    assert result.exit_code == 3
    assert "secret" not in result.output


def test_an_address_that_is_none_says_how_one_is_written(nowhere):
    result = nowhere("orders", "--redis", "localhost:6379")
    assert result.exit_code == 1
    assert "DISPATCH_REDIS" in result.stderr
    assert "redis://host:port/0" in result.stderr


def test_a_misspelt_variable_is_told(invoke):
    result = type(invoke)({"DISPATCH_KAFAK": "x"})("topics")
    assert result.exit_code == 1
    assert "DISPATCH_KAFAK" in result.stderr
