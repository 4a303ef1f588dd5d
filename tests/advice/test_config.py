"""``advice.yaml``: what a mistake in it is called, and where; and that the page of operations shows a good one."""

import json
import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from dispatch.cli import main
from dispatch.config import ADVICE_FILE, ConfigErrors, load_advice
from dispatch.demo.ears import own_config

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/operations.md").read_text("utf-8")
(SHOWN,) = re.findall(r"```yaml\n(# config/advice.yaml\n.*?)```", PAGE, re.DOTALL)


def folder_with(tmp_path, text=SHOWN):
    (tmp_path / ADVICE_FILE).write_text(text, "utf-8")
    return tmp_path


def test_what_the_page_of_operations_shows_is_read_and_has_the_defaults(tmp_path):
    found = load_advice(folder_with(tmp_path))
    assert (found.model, found.api_key_env, found.timeout, found.per_hour) == ("qwen3-32b", "ADVICE_KEY", 8, 60)
    brief = "\n".join(line for line in SHOWN.splitlines() if line.split(":")[0] in {"name", "url", "model"})
    least = load_advice(folder_with(tmp_path, brief))
    assert least == found.model_copy(update={"api_key_env": None})


def test_it_ships_switched_off():
    assert not (ROOT / "config" / ADVICE_FILE).exists()


URL = "url: https://models.example.edu/v1/chat/completions"


@pytest.mark.parametrize(
    ("old", "new", "what", "expected"),
    [
        ("name: house", "name: The House", "got 'The House'", "a name of lower-case"),
        ("model: qwen3-32b", "model: a b", "got 'a b'", ""),
        ("timeout: 8s", "timeout: 8 seconds", "got '8 seconds'", "a duration"),
        ("timeout: 8s", "timeout: 0s", "got '0s'", "greater than or equal to 1"),
        ("timeout: 8s", "timeout_s: 8", "unknown key 'timeout_s'", "mean 'timeout'"),
        ("per_hour: 60", "per_hour: 501", "more an hour than a day", "at most 'per_day', 500"),
        ("per_hour: 60", "per_hour: 0", "got '0'", "greater than or equal to 1"),
        ("api_key_env: ADVICE_KEY", "api_key_env: DISPATCH_KEY", "got 'DISPATCH_KEY'", "does not begin with DISPATCH_"),
        ("api_key_env: ADVICE_KEY", "api_key_env: sk-123", "got 'sk-123'", ""),
        ("answer: json_schema", "answer: yaml", "got 'yaml'", "'json_object'"),
        ("{temperature: 0,", "{stream: true,", "'stream' is not for options", "other fields"),
        ("{temperature: 0,", "{messages: [],", "got a list", ""),
        ("# allow: [10.1.2.3]", "allow: [10.1.2.300]", "10.1.2.300", "an address or a network"),
        (URL, "url: http://models.example.edu/v1/chat/completions", "readable on the way", "https"),
        (URL, "url: https://models.example.edu/v1", "the path '/v1'", "/chat/completions"),
        (URL, "url: https://models.example.edu:8443/v1/chat/completions", "port 8443", "it in 'ports'"),
        (URL, "url: https://me:pw@models.example.edu/v1/chat/completions", "a name or a password", "api_key_env"),
        (URL, "url: https://10.1.2.3/v1/chat/completions", "10.1.2.3 is private", "it in 'allow'"),
        (URL, "url: https://[64:ff9b::a01:203]/v1/chat/completions", "NAT64", "it in 'allow'"),
        (URL, "url: https://models.example.edu:99999/v1/chat/completions", "Port out of range", "an address such as"),
        (URL, "url: ftp://models.example.edu/v1/chat/completions", "got 'ftp:", ""),
    ],
)
def test_a_mistake_is_reported_with_its_line(tmp_path, old, new, what, expected):
    line = SHOWN[: SHOWN.index(old)].count("\n") + 1
    with pytest.raises(ConfigErrors) as found:
        load_advice(folder_with(tmp_path, SHOWN.replace(old, new, 1)))
    told = [(each.file, each.line, each.what, each.expected) for each in found.value.errors]
    assert any(
        (file, at) == (ADVICE_FILE, line) and what in said and expected in wanted for file, at, said, wanted in told
    ), told


@pytest.mark.parametrize(
    "more",
    [
        {"url": "url: http://127.0.0.1:11434/v1/chat/completions", "beside": "ports: [11434]\nallow: [127.0.0.1]"},
        {"url": "url: http://localhost:11434/v1/chat/completions", "beside": "ports: [11434]\nallow: [127.0.0.0/8]"},
        {"url": "url: https://10.1.2.3:8443/v1/chat/completions", "beside": "ports: [8443]\nallow: [10.0.0.0/8]"},
        {"url": "url: https://x.example/openai/chat/completions?api-version=2", "beside": ""},
    ],
    ids=str,
)
def test_a_model_in_the_house_is_named(tmp_path, more):
    load_advice(folder_with(tmp_path, SHOWN.replace(URL, more["url"]) + more["beside"]))


def test_dispatch_check_reads_it_and_says_what_is_wrong(tmp_path):
    folder = tmp_path / "config"
    shutil.copytree(ROOT / "config", folder)
    folder_with(folder)
    result = CliRunner().invoke(main, ["check", "--json", str(folder)])
    assert (result.exit_code, json.loads(result.stdout)["advice"]) == (0, "qwen3-32b by house")
    folder_with(folder, SHOWN.replace("timeout: 8s", "timeout: soon"))
    result = CliRunner().invoke(main, ["check", "--json", str(folder)])
    assert result.exit_code == 1
    assert json.loads(result.stdout)["file"] == ADVICE_FILE


def test_the_demo_asks_nobody(tmp_path):
    source = tmp_path / "config"
    shutil.copytree(ROOT / "config", source)
    folder_with(source)
    assert not (own_config(source, tmp_path / "own", 8787) / ADVICE_FILE).exists()
