"""People: as channels name them on the way in, and as the log may know them past intake."""

from dispatch.models.base import Code, Id, Line, Model, Seconds

CONTACT_MASK = "[contact]"
NAME_MASK = "[name]"
"""What stands in texts past intake where a number, an address or the reporter's name stood."""


class PersonRef(Model):
    """A person as a channel knows them. Never leaves intake; `reply_to` names a hook."""

    id: Id
    name: Line | None = None
    phone: Line | None = None
    email: Line | None = None
    affiliation: Code | None = None
    department_id: Id | None = None
    vulnerable: bool | None = None
    locale: Code | None = None
    reply_to: Code | None = None


class Subject(Model):
    """A person past intake: nothing that names or reaches them, only the key to the people store."""

    subject_id: Id
    affiliation: Code | None = None
    department_id: Id | None = None
    vulnerable: bool | None = None
    locale: Code | None = None


class Actor(Model):
    """Who acted, and in what role. Past intake `id` is a subject id or a technician's id."""

    id: Id
    role: Code
    org_id: Id | None = None


class Owner(Model):
    """Who answers for an open order at this moment: a person, a technician or a role."""

    kind: Code
    id: Id


class OwnerTime(Model):
    """How long an owner held an order, in seconds."""

    owner: Owner
    s: Seconds
