"""A second model beside the one that decides, on a real broker: it is compared, and never in the way."""

import pytest

from dispatch.agents import shadow
from dispatch.rules.triage_file import shipped

pytestmark = pytest.mark.asyncio(loop_scope="session")

AGREES = {"on": "trade", "outcome": "same"}
DIFFERS = {"on": "trade", "outcome": "abstained"}
ODD = "按了半天不来，数字一直停在3"
"""A symptom without the name of its thing: the shadow of these tests, which knows taps alone, cannot place it."""


async def grows(pages, name, by=1.0, **labels):
    """Wait for a counter to grow; the value that it had before."""
    before = await pages.value(name, **labels)

    async def wait():
        assert await pages.reached(before + by, name, **labels) >= before + by

    return wait


async def test_both_models_are_named(client, pages):
    assert await pages.value("dispatch_triage_model", version=shipped().version) == 1
    assert ("dispatch_triage_model", frozenset({("version", "taps")})) in await pages.samples()
    assert await pages.value("dispatch_triage_model", version="taps") == 0


async def test_a_shadow_is_compared_with_what_was_decided_and_decides_nothing(client, pages):
    failures = await pages.value("dispatch_shadow_failures_total")
    agreed = await grows(pages, "dispatch_shadow_verdicts_total", **AGREES)
    offer = await client.offered(await client.report())
    await agreed()
    opened = await client.event("work-order.opened", of=offer.subject)
    assert opened.data["classifier"]["model_version"] == shipped().version

    differed = await grows(pages, "dispatch_shadow_verdicts_total", **DIFFERS)
    request_id = await client.report(text=ODD)
    await differed()
    opened = await client.wait(
        lambda one: one.type == "work-order.opened" and one.headers.get("ce_correlationid") == request_id
    )
    assert opened.data["requirements"]
    assert opened.data["classifier"]["model_version"] == shipped().version
    assert await pages.value("dispatch_shadow_failures_total") == failures


async def test_what_the_desk_corrects_is_counted_from_trade_to_trade(client, pages):
    offer = await client.offered(await client.report())
    decided = await pages.value("dispatch_triage_verdicts_total", outcome="decided")
    assert decided >= 1
    assert 0 < await pages.value("dispatch_triage_certainty_total") <= decided
    corrected = await grows(pages, "dispatch_triage_corrections_total", trade="plumbing", corrected="masonry")
    await client.act("reclassify", offer.subject, ("d-1", "dispatcher"), trade="masonry", reason="wrong_trade")
    await client.event("work-order.reclassified", of=offer.subject)
    await corrected()


async def test_a_shadow_that_fails_turns_itself_off_and_reports_go_on(client, pages, monkeypatch):
    def broken(*_given):
        raise ZeroDivisionError

    failures = await pages.value("dispatch_shadow_failures_total")
    failed = await grows(pages, "dispatch_shadow_failures_total")
    monkeypatch.setattr(shadow, "hear", broken)
    assert await client.offered(await client.report())
    await failed()
    before = await pages.value("dispatch_shadow_verdicts_total", **AGREES)
    assert await client.offered(await client.report())
    assert await pages.value("dispatch_shadow_failures_total") == failures + 1
    assert await pages.value("dispatch_shadow_verdicts_total", **AGREES) == before
