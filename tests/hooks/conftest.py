"""The tests of the whole way have servers, an engine and a client of their own."""

from tests.support.own_engine import client, engine, own

__all__ = ["client", "engine", "own"]
