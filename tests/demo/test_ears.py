"""The demo's hooks lead to this machine, whatever the config says, and technicians hear what they must."""

from pathlib import Path

import pytest
import yaml

from dispatch.config import load_config, load_hooks
from dispatch.demo.ears import APP, SECRET, Deaf, new_secret, own_config, own_hooks
from dispatch.hooks.senders import make_senders, secret_names

CONFIG = Path(__file__).parents[2] / "config"


@pytest.fixture(scope="module")
def document():
    return yaml.safe_load((CONFIG / "hooks.yaml").read_text("utf-8"))


def test_the_shipped_config_with_the_demos_hooks_is_valid_and_can_be_sent_through(tmp_path):
    folder = own_config(CONFIG, tmp_path / "config", 8787)
    policy = load_config(folder)
    assert policy.version == load_config(CONFIG).version
    hooks = load_hooks(folder, policy)
    assert secret_names(hooks) == {SECRET: APP}
    assert set(make_senders(hooks, {SECRET: new_secret()})) == {"log", APP}
    assert (hooks.hooks[APP].allow, hooks.hooks[APP].ports) == (("127.0.0.1",), (8787,))
    assert hooks.defaults["technician"] == (APP,)


def test_no_hook_of_the_house_is_left(document):
    house = document | {
        "hooks": {"sms": {"kind": "sms", "url": "https://sms.example.edu/send", "secrets": ["SMS"]}},
        "defaults": {"reporter": ["sms"]},
        "receivers": {"role/dispatcher": {"hooks": ["sms"], "phone": "6100"}},
        "routes": [route | {"through": ["sms"]} for route in document["routes"]],
    }
    found = own_hooks(house, 8787)
    assert "sms" not in yaml.safe_dump(found)
    assert found["receivers"]["role/dispatcher"]["phone"] == "6100"


def test_technicians_who_would_not_hear_of_an_offer_are_an_error(document):
    routes = [route for route in document["routes"] if route["event"] != "work-order.offered"]
    with pytest.raises(Deaf, match=r"no route to the technician for work-order\.offered"):
        own_hooks(document | {"routes": routes}, 8787)


def test_a_config_without_hooks_is_an_error_that_says_so(tmp_path):
    (tmp_path / "given").mkdir()
    with pytest.raises(Deaf, match=r"hooks\.yaml is missing"):
        own_config(tmp_path / "given", tmp_path / "own", 8787)
