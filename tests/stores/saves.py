"""Saves for a territory, and all that a store tells of one."""

from dispatch.stores.base import Meta, Save

NEW = (0, "")


def save_of(sequence, *, on=NEW, batch=None, **content):
    meta = Meta(sequence=sequence, batch_id=batch or f"b{sequence}", **content.pop("meta", {}))
    return Save(expected=on, meta=meta, **content)


def fence(save):
    return save.meta.sequence, save.meta.batch_id


async def everything(store, key):
    """All that the store tells of a territory."""
    return await store.load(key), await store.finals(key), await store.due(key, 10**15, 100)
