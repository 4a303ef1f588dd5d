"""Reports of others, which lie beside the project and not in it: all are dispatched, and understood as well as ever."""

from pathlib import Path

import pytest

from benchmarks import boston, triage
from dispatch.config import load_config
from dispatch.rules.location import locate

DATA = Path(__file__).parents[3] / "shared" / "data"
CITY = DATA / "boston311" / "requests_2015_jan_apr.csv.gz"
CONFIG = Path(__file__).parents[2] / "config"


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    """The rows of a city, its boxes, and a policy for them."""
    _needed(CITY)
    rows = boston.read_rows(CITY)
    boxes = boston.boxes(rows)
    return rows, boxes, load_config(boston.write_config(tmp_path_factory.mktemp("city") / "config", boxes))


def _needed(path):
    if not path.exists():
        pytest.skip(f"needs {path.relative_to(DATA.parents[1])} beside the project")


def test_every_kind_of_report_of_a_city_is_dispatched_by_the_craft_that_its_form_states(city):
    rows, _boxes, policy = city
    boston.check_trades(policy, rows)
    assert len(rows) == 17_668


def test_every_report_of_a_city_lies_in_the_territory_whose_bounds_hold_it(city):
    _rows, boxes, policy = city
    for number, box in enumerate(boxes):
        found = {locate(policy, {"lat": row.lat, "lon": row.lon}, "").territory for row in box.rows}
        assert found == {boston.territory_id(number)}


@pytest.mark.parametrize(
    ("name", "right", "urgency"), [("zh_demo_dev", 0.93, 0.9), ("gatech_dev", 0.82, 0.72), ("tipdm_dev", 0.8, 0.6)]
)
def test_labelled_texts_of_others_are_understood(name, right, urgency):
    path = DATA / "triage" / f"{name}.csv"
    _needed(path)
    found = triage.figures(triage.judge(load_config(CONFIG), triage.read_dev(path)))
    assert found["trade"]["accuracy"] >= right, found
    assert found["trade"]["coverage"] >= 0.95, found
    assert found["urgency"] >= urgency, found
