"""No connection to an address that is not public, unless config allows it by name (I12)."""

from tests.security.addresses import good, measure


def test_no_forbidden_address_is_connected_to_and_the_control_would_have_been():
    found = measure()
    assert good(found), found
