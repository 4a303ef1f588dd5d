"""Whatever is done to both stores, they answer alike."""

import asyncio
import itertools
import secrets

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from dispatch.errors import Fenced
from dispatch.stores.base import Attempt, Meta, Save, TerritoryKey
from dispatch.stores.memory import MemoryStore
from dispatch.stores.redis import RedisStore, connect
from tests.support.people import subjects

IDS = st.sampled_from(["a", "b", "c", "d-1", "东"])
BLOBS = st.binary(max_size=12)
TIMERS = st.sampled_from(["a:1:x:1", "a:1:x:2", "b:1:y:1", "technician/t"])
PLACES = st.sampled_from(["north", "south"])
PEOPLE = st.sampled_from(["li", "wang", "O'Neil \x00"])
unique_pairs = st.dictionaries(IDS, BLOBS, max_size=4).map(lambda found: tuple(found.items()))


@st.composite
def contents(draw):
    orders = draw(unique_pairs)
    open_now = {order_id for order_id, _blob in orders}
    return {
        "orders": orders,
        "finals": [(one, blob) for one, blob in draw(unique_pairs) if one not in open_now],
        "reopened": sorted(open_now & draw(st.sets(IDS))),
        "technicians": draw(unique_pairs),
        "recent": draw(unique_pairs),
        "forgotten": draw(st.lists(IDS, max_size=2)),
        "timers_dropped": draw(st.lists(TIMERS, max_size=3)),
        "timers_added": [
            (ms, one) for one, ms in draw(st.dictionaries(TIMERS, st.integers(0, 50), max_size=3)).items()
        ],
        "published": draw(st.lists(st.integers(1, 12), max_size=3)),
    }


class Twins(RuleBasedStateMachine):
    """Both stores, given the same calls. `url` is set on a subclass; each example has a tenant of its own."""

    url = ""

    def __init__(self):
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.tenant = f"t{secrets.token_hex(6)}"
        self.client = self.loop.run_until_complete(_open(self.url))
        self.stores = (MemoryStore(), RedisStore(self.client))
        self.fences = {}
        self.past = {}
        self.batches = itertools.count()

    def both(self, call):
        answers = []
        for store in self.stores:
            try:
                answers.append(self.loop.run_until_complete(call(store)))
            except Fenced as fenced:
                answers.append(("fenced", str(fenced)))
        assert answers[0] == answers[1]
        return answers[0]

    def key(self, place):
        return TerritoryKey(self.tenant, place)

    @rule(place=PLACES, content=contents(), step=st.integers(1, 3), boxed=st.booleans())
    def save(self, place, content, step, boxed):
        on = self.fences.get(place, (0, ""))
        meta = Meta(sequence=on[0] + step, batch_id=f"b{next(self.batches)}", opened=step)
        one = Save(expected=on, meta=meta, outbox=(meta.sequence, b"entry") if boxed else None, **content)
        assert self.both(lambda store: store.save({self.key(place): one})) is None
        self.fences[place] = (meta.sequence, meta.batch_id)
        self.past.setdefault(place, []).append(one)

    @rule(place=PLACES, which=st.integers(0, 5))
    def save_again(self, place, which):
        past = self.past.get(place, [])
        if which < len(past):
            answer = self.both(lambda store: store.save({self.key(place): past[-1 - which]}))
            assert (answer is None) == (which == 0)

    @rule(content=contents(), stale=st.booleans())
    def save_both_places(self, content, stale):
        saves = {}
        for place in ("north", "south"):
            on = self.fences.get(place, (0, ""))
            meta = Meta(sequence=on[0] + 1, batch_id=f"b{next(self.batches)}")
            expected = (on[0] + 7, "x") if stale and place == "south" else on
            saves[place] = Save(expected=expected, meta=meta, **content)
        answer = self.both(lambda store: store.save({self.key(place): one for place, one in saves.items()}))
        assert (answer is None) != stale
        for place, one in saves.items():
            if not (stale and place == "south"):
                self.fences[place] = (one.meta.sequence, one.meta.batch_id)
                self.past.setdefault(place, []).append(one)

    @rule(place=PLACES, content=contents())
    def replace(self, place, content):
        meta = Meta(sequence=next(self.batches) + 1, batch_id=f"r{next(self.batches)}")
        one = Save(expected=(9, "nobody"), meta=meta, **content)
        self.both(lambda store: store.replace(self.key(place), one))
        self.fences[place] = (meta.sequence, meta.batch_id)
        self.past[place] = [one]

    @rule(place=PLACES, until=st.integers(-1, 60), limit=st.integers(1, 4))
    def due(self, place, until, limit):
        self.both(lambda store: store.due(self.key(place), until, limit))

    @rule(place=PLACES, wanted=st.lists(IDS, max_size=4), tries=st.integers(1, 9))
    def begin(self, place, wanted, tries):
        lane, attempt = f"{self.tenant}/{place}", Attempt(start="x:1", size=3, tries=tries)
        self.both(lambda store: store.begin(lane, attempt, [(self.key(place), one) for one in wanted]))
        assert self.both(lambda store: store.attempt(lane)) == attempt

    @rule(routes=st.dictionaries(IDS, PLACES, max_size=3), asked=st.lists(IDS, max_size=3))
    def fix_routes(self, routes, asked):
        self.both(lambda store: store.fix_routes(self.tenant, routes))
        self.both(lambda store: store.routes(self.tenant, asked))

    @rule(people=st.dictionaries(PEOPLE, BLOBS, max_size=3))
    def name_people(self, people):
        given_now = {person: (f"s{next(self.batches)}", blob) for person, blob in people.items()}
        found = self.both(lambda store: subjects(store, self.tenant, given_now))
        for person, subject in found.items():
            kept = self.both(lambda store, one=subject: store.person(self.tenant, one))
            assert kept == people[person] or not people[person]  # no details replace none

    @rule(person=PEOPLE)
    def erase(self, person):
        named = {person: (f"s{next(self.batches)}", b"x")}
        found = self.both(lambda store: subjects(store, self.tenant, named))
        assert self.both(lambda store: store.erase(self.tenant, found[person])) is True
        assert self.both(lambda store: store.person(self.tenant, found[person])) is None
        assert self.both(lambda store: store.erase(self.tenant, found[person])) is False

    @rule(name=st.sampled_from(["x", "y"]), value=st.sampled_from(["1", "2"]), forget=st.booleans())
    def note(self, name, value, forget):
        if forget:
            self.both(lambda store: store.forget(f"{self.tenant}{name}"))
        self.both(lambda store: store.fact(f"{self.tenant}{name}", value))

    @invariant()
    def all_answers_are_alike(self):
        for place in ("north", "south"):
            self.both(lambda store, place=place: store.load(self.key(place)))
            self.both(lambda store, place=place: store.finals(self.key(place)))
        self.both(lambda store: store.fences([self.key("north"), self.key("south"), self.key("nowhere")]))

    def teardown(self):
        self.loop.run_until_complete(self.client.aclose())
        self.loop.close()


async def _open(url):
    return connect(url)


def test_both_stores_answer_alike_whatever_is_done_to_them(servers):
    machine = type("TwinsHere", (Twins,), {"url": servers.redis})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=15,
            stateful_step_count=20,
            derandomize=True,
            phases=[Phase.generate],  # shrinking against a real server takes minutes
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
