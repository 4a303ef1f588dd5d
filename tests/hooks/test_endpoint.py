"""When an endpoint may be sent to."""

from hypothesis import given
from hypothesis import strategies as st

from dispatch.hooks.endpoint import Endpoint, answered, opens_at, sending
from dispatch.models.hooks import Breaker

BREAKER = Breaker(failures=3, rest="10s", most="1m")


def failed(endpoint, times, now):
    for _ in range(times):
        endpoint = answered(sending(endpoint, now, None), "retry", now, None, BREAKER)
    return endpoint


def test_a_breaker_opens_probes_once_and_closes():
    endpoint = failed(Endpoint(), 2, 100)
    assert (endpoint.state, opens_at(endpoint, 100, None)) == ("closed", 100)
    endpoint = failed(endpoint, 1, 100)
    assert (endpoint.state, opens_at(endpoint, 100, None)) == ("open", 110)
    probe = sending(endpoint, 110, None)
    assert (probe.state, opens_at(probe, 110, None)) == ("half-open", float("inf"))
    assert answered(probe, "ok", 111, None, BREAKER) == Endpoint()


def test_each_rest_is_twice_as_long_up_to_a_bound():
    endpoint, now, rests = failed(Endpoint(), 3, 0.0), 0.0, []
    for _ in range(5):
        rests.append(endpoint.rest_until - now)
        now = endpoint.rest_until
        endpoint = answered(sending(endpoint, now, None), "retry", now, None, BREAKER)
    assert rests == [10, 20, 40, 60, 60]


def test_messages_that_were_under_way_when_it_opened_do_not_lengthen_its_rest():
    endpoint = failed(Endpoint(), 3, 100)
    assert answered(endpoint, "retry", 101, None, BREAKER).rest_until == endpoint.rest_until


def test_who_asks_for_a_pause_gets_it_and_is_not_called_broken():
    endpoint = answered(failed(Endpoint(), 2, 0), "retry", 5, 30.0, BREAKER)
    assert (endpoint.state, endpoint.failures, opens_at(endpoint, 5, None)) == ("closed", 0, 35)


def test_gone_is_gone_for_a_while():
    assert answered(Endpoint(), "gone", 100, None, BREAKER).gone_until > 100


@given(st.lists(st.floats(0, 20), min_size=1, max_size=120), st.integers(1, 20))
def test_never_more_than_so_many_in_any_minute(gaps, per_minute):
    endpoint, now, sent = Endpoint(), 0.0, []
    for gap in gaps:
        now = max(now + gap, opens_at(endpoint, now + gap, per_minute))
        endpoint = sending(endpoint, now, per_minute)
        sent.append(now)
    for at in sent:
        assert sum(at <= one < at + 60 for one in sent) <= per_minute
