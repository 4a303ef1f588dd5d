"""``dispatch status``: what it calls wrong, by example; and on a real broker beside a worker, and without one."""

import json
import secrets
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from dispatch.cli import main
from dispatch.cli.groups import Group
from dispatch.cli.status import LaneSeen, judge, look, seen, told
from dispatch.settings import ROLES
from tests.support.client import token


def lane_of(number=0, *, lag=0, owner="w1", late_s=None):
    owners = {"intake": "w1", "desk": owner, "clock": "w1"}
    return LaneSeen(lane=number, territories=["north"], owners=owners, lag={"desk": lag}, late_s=late_s)


@pytest.mark.parametrize(
    ("lane", "before", "wrong"),
    [
        (lane_of(), {}, []),
        (lane_of(owner=None), {}, ["no-owner:desk"]),
        (lane_of(lag=1000), {}, []),
        (lane_of(lag=1001), {"desk": {0: 1001}}, ["lag-grows:desk"]),
        (lane_of(lag=5000), {"desk": {0: 4000}}, ["lag-grows:desk"]),
        (lane_of(lag=5000), {"desk": {0: 5001}}, []),
        (lane_of(late_s=10.0), {}, []),
        (lane_of(late_s=10.1), {}, ["timers-late"]),
    ],
)
def test_a_lane_is_wrong_without_an_owner_with_a_backlog_that_stays_and_with_late_timers(lane, before, wrong):
    assert judge(lane, before, most_lag=1000, most_late_s=10.0) == wrong


def test_what_is_wrong_is_told_once_with_its_lanes_and_what_to_do():
    lanes = [lane_of(0), lane_of(3), lane_of(5)]
    for lane in lanes[1:]:
        lane.wrong = ["no-owner:desk"]
    lanes[0].wrong = ["timers-late"]
    first, second = told(lanes)
    assert first.startswith("timers-late: timers are late in lane 0: ")
    assert second.startswith("no-owner:desk: nobody plays desk for lanes 3, 5: start a worker")


def test_a_lane_has_the_owner_and_the_lag_of_each_group():
    groups = [
        Group(role="intake", owners={0: "a", 1: "b"}, lag={0: 1, 1: 2}, known=True),
        Group(role="clock", owners={0: "a"}, lag={}, known=True),
    ]
    lane = seen(1, ["south", "north"], groups)
    assert lane.territories == ["north", "south"]
    assert lane.owners == {"intake": "b", "clock": None}
    assert lane.lag == {"intake": 2}


@pytest.mark.asyncio(loop_scope="session")
async def test_beside_a_worker_all_is_well_and_every_territory_has_its_lane(client, settings):
    await client.offered(await client.report())
    lanes, timezone = await look(settings, most_lag=1000, most_late_s=30.0, look_s=0.1)
    assert [lane.wrong for lane in lanes] == [[]] * settings.partitions
    assert timezone == "Asia/Shanghai"
    names = [name for lane in lanes for name in lane.territories]
    assert "north" in names
    assert len(names) == len(set(names))
    (north,) = [lane for lane in lanes if "north" in lane.territories]
    assert north.owners.keys() == set(ROLES) - {"advise"}  # no larger model in the config
    assert len(set(north.owners.values())) == 1
    assert north.lag.keys() == {"intake", "desk", "notify"}
    assert datetime.now(UTC) - datetime.fromisoformat(north.decided_at) < timedelta(minutes=1)
    assert datetime.fromisoformat(north.next_timer_at) > datetime.now(UTC)
    assert north.late_s == 0.0


@pytest.mark.asyncio(loop_scope="session")
async def test_without_a_worker_it_says_so_and_counts_what_waits(client, engine, settings):
    request_id = await client.report()
    opened = await client.event("work-order.opened", request=request_id)
    alone = settings.model_copy(update={"group": f"g{token()}"})
    lanes, _timezone = await look(alone, most_lag=0, most_late_s=30.0, look_s=0.0)
    assert all("no-owner:desk" in lane.wrong for lane in lanes)
    found = lanes[opened.partition]
    assert found.lag["desk"] > 0
    assert "lag-grows:desk" in found.wrong


def test_the_command_prints_a_table_or_json_and_ends_with_1_when_something_is_wrong(servers, settings):
    environ = {
        "DISPATCH_KAFKA": servers.kafka,
        "DISPATCH_REDIS": servers.redis,
        "DISPATCH_GROUP": f"g{secrets.token_hex(4)}",
    }
    result = CliRunner(env=environ).invoke(main, ["status", "--json"], catch_exceptions=False)
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert document["ok"] is False
    assert [one.split(":")[1] for one in document["wrong"]] == ["intake", "desk", "clock"]
    assert {lane["lane"] for lane in document["lanes"]} == set(range(settings.partitions))
    result = CliRunner(env=environ).invoke(main, ["status"], catch_exceptions=False)
    assert result.exit_code == 1
    assert result.stdout.splitlines()[0].split("\t") == [
        "LANE", "TERRITORIES", "OWNERS", "LAG", "DECIDED", "NEXT_TIMER", "WRONG",
    ]  # fmt: skip
    assert "no-owner:desk: nobody plays desk for lanes 0, 1, 2, 3" in result.stderr
