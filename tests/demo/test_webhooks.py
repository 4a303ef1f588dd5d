"""Technicians hear what the engine signed, once, whatever else is sent to them."""

import json
import time
from datetime import UTC, datetime

import aiohttp
import pytest
from standardwebhooks import Webhook

from dispatch.demo.ears import new_secret
from dispatch.demo.telling import check_receiver
from dispatch.demo.webhooks import Receiver, Unverified, why_refused
from dispatch.hooks.delivery import Delivery
from dispatch.hooks.senders import signed_headers, webhook_body
from dispatch.hooks.signing import key_of, sign_webhook
from tests.support.clocks import Still

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)


def offer(number=1, expires="2026-03-03T12:05:00.000Z"):
    return {
        "type": "dispatch.work-order.offered.v1",
        "timestamp": "2026-03-03T12:00:00Z",
        "data": {
            "event_id": f"campus:north:{number}",
            "receiver": "technician/n01",
            "work_order_id": "wo1",
            "assignment_id": f"wo1.1.{number}",
            "expires_at": expires,
        },
    }


@pytest.fixture
def secret():
    return new_secret()


@pytest.fixture
def receiver(secret):
    return Receiver(secret, Still(NOON))


def signed(secret, said, *, message_id="dl1", at_s=None):
    body = json.dumps(said).encode()
    at_s = int(time.time()) if at_s is None else at_s
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": sign_webhook([key_of(secret)], message_id, at_s, body),
    }, body


def test_what_the_official_package_signs_is_taken(secret):
    body, now = json.dumps(offer()), datetime.now(UTC)
    signature = Webhook(secret).sign("dl1", now, body)
    headers = {"webhook-id": "dl1", "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signature}
    assert why_refused(key_of(secret), headers, body.encode(), now.timestamp()) is None


def test_what_the_engine_sends_is_taken(secret, receiver):
    delivery = Delivery(
        id="dl1", event_id="campus:north:1", event_type="work-order.offered", receiver="technician/n01",
        hooks=("app",), why="route 1", order_id="wo1", planned_at=0.0, next_at=0.0, give_up_at=60.0,
        facts={"assignment_id": "wo1.1.1", "expires_at": "2026-03-03T12:05:00.000Z"},
    )  # fmt: skip
    body = webhook_body(delivery, None)
    assert receiver.take(signed_headers([key_of(secret)], delivery, body), body, time.time()) == 204
    message = receiver.messages["dl1"]
    assert (message.type, message.receiver, message.order_id) == ("work-order.offered", "technician/n01", "wo1")
    assert message.at == NOON


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"webhook-signature": "v1,AAAA"}, "no signature fits"),
        ({"webhook-signature": ""}, "no signature fits"),
        ({"webhook-id": "dl2"}, "no signature fits"),
        ({"webhook-id": ""}, "headers are missing"),
        ({"webhook-timestamp": "soon"}, "headers are missing"),
        ({"webhook-timestamp": "１"}, "headers are missing"),
        ({"webhook-timestamp": "12"}, "sent at 12"),
    ],
)
def test_what_was_changed_on_its_way_is_refused_and_has_no_effect(secret, receiver, change, why):
    told = []
    receiver.listener = told.append
    headers, body = signed(secret, offer())
    assert receiver.take(headers | change, body, time.time()) == 401
    assert not told
    assert not receiver.messages
    with pytest.raises(Unverified, match=why):
        receiver.check()


def test_a_changed_body_is_refused(secret, receiver):
    headers, body = signed(secret, offer())
    assert receiver.take(headers, body.replace(b"n01", b"n02"), time.time()) == 401


def test_another_secret_is_refused_and_one_of_several_signatures_is_enough(secret, receiver):
    headers, body = signed(new_secret(), offer())
    assert receiver.take(headers, body, time.time()) == 401
    right, body = signed(secret, offer())
    both = f"{headers['webhook-signature']} {right['webhook-signature']}"
    assert receiver.take(right | {"webhook-signature": both}, body, time.time()) == 204


def test_a_repeated_id_is_answered_and_dropped(secret, receiver):
    told = []
    receiver.listener = told.append
    for _ in range(3):
        assert receiver.take(*signed(secret, offer()), time.time()) == 204
    assert len(told) == 1
    assert (receiver.counts["arrived"], receiver.counts["repeated"]) == (1, 2)
    receiver.check()
    assert not check_receiver(receiver)


def test_the_same_id_with_other_bytes_breaks_an_invariant(secret, receiver):
    receiver.take(*signed(secret, offer(1)), time.time())
    receiver.take(*signed(secret, offer(2)), time.time())
    assert [str(one) for one in check_receiver(receiver)] == ["I7: 1 webhooks came again with other bytes"]


def test_the_same_event_under_another_id_breaks_an_invariant(secret, receiver):
    receiver.take(*signed(secret, offer(1)), time.time())
    receiver.take(*signed(secret, offer(1), message_id="dl2"), time.time())
    assert [one.name for one in check_receiver(receiver)] == ["I7"]


def test_an_offer_whose_time_is_over_counts_as_late(secret, receiver):
    receiver.take(*signed(secret, offer(1)), time.time())
    receiver.take(*signed(secret, offer(2, "2026-03-03T12:00:00.000Z"), message_id="dl2"), time.time())
    assert receiver.counts["late"] == 1


async def test_it_answers_over_http(secret):
    async with Receiver(secret, Still(NOON)) as receiver, aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{receiver.port}/technician/n01"
        headers, body = signed(secret, offer())
        async with session.post(url, data=body, headers=headers) as answer:
            assert answer.status == 204
        async with session.post(url, data=body, headers=headers | {"webhook-signature": "v1,no"}) as answer:
            assert answer.status == 401
        assert receiver.heard_of == {"campus:north:1"}
        with pytest.raises(Unverified):
            receiver.check()
