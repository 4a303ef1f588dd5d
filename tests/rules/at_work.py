"""A day on which Ann is at work: a plumber who also moves things, the orders she has taken, and more people."""

from dispatch.testing import Day
from tests.rules.small_policy import direct_policy


def day_of_ann():
    day = Day(direct_policy())
    with day.batch():
        day.technician("ann", skills={"plumbing": 3, "moving": 3}, capacity=4, hours=100)
    return day


def more(day, *names, **data):
    with day.batch():
        for name in names:
            day.technician(name, **{"skills": {"plumbing": 3, "moving": 3}, "capacity": 4, "hours": 100, **data})


def taken(day, *actions, trade="plumbing"):
    order = day.report("leak", trade=trade)
    for action in ("accept", *actions):
        day.act(action, order, by="ann")
    return order
