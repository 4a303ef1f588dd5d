"""How the people of the demo hear: its own config folder, whose hooks lead to this machine and nowhere else."""

import base64
import secrets
import shutil
from pathlib import Path

import yaml

from dispatch.config import ADVICE_FILE, HOOKS_FILE
from dispatch.demo.day import Data
from dispatch.demo.webhooks import HOST
from dispatch.errors import DispatchError

APP = "app"
LOG = "log"
SECRET = "DEMO_WEBHOOK_SECRET"  # noqa: S105 -- the name of a variable
NEEDED = ("work-order.offered", "work-order.assigned", "work-order.withdrawn", "work-order.offer-expired")
"""What a technician must hear of to do the work."""
_SECRET_BYTES = 32


class Deaf(DispatchError):  # noqa: N818 -- said to people
    """With these hooks the technicians would hear of nothing."""


def new_secret() -> str:
    """A webhook secret for one run."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def own_config(source: Path, target: Path, port: int) -> Path:
    """Copy the config folder, with its own hooks: technicians have a webhook on ``port``, all others a log.

    Raises Deaf when its routes do not tell technicians what they must know.
    """
    shutil.copytree(source, target)
    (target / ADVICE_FILE).unlink(missing_ok=True)  # a larger model is asked about real reports alone
    file = target / HOOKS_FILE
    if not file.is_file():
        raise Deaf(f"{source / HOOKS_FILE} is missing: the technicians of the demo hear through hooks")
    document = yaml.safe_load(file.read_text("utf-8"))
    file.write_text(yaml.safe_dump(own_hooks(document, port), allow_unicode=True, sort_keys=False), "utf-8")
    return target


def own_hooks(document: Data, port: int) -> Data:
    """``hooks.yaml`` with its routes and words as they are, and every hook in it replaced."""
    routes = [{name: value for name, value in route.items() if name != "through"} for route in document["routes"]]
    told = {route["event"] for route in routes if "technician" in route["to"]}
    if missing := sorted(set(NEEDED) - told):
        raise Deaf(f"{HOOKS_FILE} has no route to the technician for {', '.join(missing)}")
    webhook = {
        "kind": "webhook",
        "url": f"http://{HOST}:{port}/{{receiver}}",
        "secrets": [SECRET],
        "allow": [HOST],
        "ports": [port],
    }
    receivers = {name: {**contact, "hooks": [LOG]} for name, contact in (document.get("receivers") or {}).items()}
    kinds = ("reporter", "role", "team", "org", "person")
    return {
        **document,
        "hooks": {LOG: {"kind": "log"}, APP: webhook},
        "defaults": {"technician": [APP], **{kind: [LOG] for kind in kinds}},
        "receivers": receivers,
        "routes": routes,
    }
