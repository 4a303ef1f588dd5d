"""The parts of the policy that are about words and dangers: the lexicon, what is more urgent, plans for emergencies."""

from datetime import date

from pydantic import Field

from dispatch.models.policy_base import Interval, Label, Name, Part, Urgency, When


class Words(Part):
    """Words of both languages that point to one thing. English ones match whole, inflections included."""

    zh: tuple[str, ...] = ()
    en: tuple[str, ...] = ()


class EmergencyWords(Words):
    """Words of an emergency: which trade goes, and which hazard is named."""

    trade: Name
    hazard: Name


class TaskWords(Words):
    """Words of work that takes more than its trade; its name is a hazard, which a channel may name too."""

    certificates: tuple[str, ...] = Field(min_length=1)


class Lexicon(Part):
    """``lexicon.yaml``: what words mean here.

    ``trades`` are the things a trade looks after; ``symptoms`` are what may be wrong with many a thing, and
    weigh half: in "the dishwasher leaks" the leak is a symptom, and the dishwasher decides. ``neutral`` words
    point nowhere, and hide the shorter words inside them: 门口 is no 门. ``site`` are the site's own words: what
    they say of a trade is final, whatever the model of triage thinks; so is what ``site_urgency`` says of how much
    it presses, where ``urgency`` only adds to what the model makes of the text. ``tasks`` are kinds of work that
    only people with certificates of their own may do, by the hazard: height, hot work, confined space.
    """

    trades: dict[Name, Words]
    site: dict[Name, Words] = Field(default_factory=dict)
    symptoms: dict[Name, Words] = Field(default_factory=dict)
    neutral: Words = Words()
    urgency: dict[Urgency, Words] = Field(default_factory=dict)
    site_urgency: dict[Urgency, Words] = Field(default_factory=dict)
    emergencies: dict[Name, EmergencyWords] = Field(default_factory=dict)
    tasks: dict[Name, TaskWords] = Field(default_factory=dict)
    negations: Words = Words()
    min_confidence_permille: int = Field(default=300, ge=0, le=1000)


class Raise(Part):
    """A row of ``urgency.yaml``: what is more urgent here, now, or for this person. All that it gives must hold.

    ``since`` and ``until`` are days, both included; ``hours`` are times of the site's wall clock; ``words`` are such
    that one of them is said; ``vulnerable`` asks that the reporter is.
    """

    id: Name
    reason: Label
    to: Urgency
    when: When = When()
    words: Words = Words()
    since: date | None = None
    until: date | None = None
    hours: tuple[Interval, ...] = ()
    vulnerable: bool = False


class EmergencyCall(Part):
    """A number to call that is not ours: the fire brigade, the gas company."""

    name: Label
    number: str = Field(min_length=2, max_length=40)


class EmergencyPlan(Part):
    """``plans.yaml``: what is done at once. Without ``hazards`` it is for all that no other plan names."""

    id: Name
    version: str = Field(min_length=1, max_length=40)
    hazards: tuple[Name, ...] = ()
    tell: tuple[Name, ...] = ("shift_leader",)
    advice: Label
    steps: tuple[Label, ...] = ()
    calls: tuple[EmergencyCall, ...] = ()
