"""A busy machine plays a slower day."""

import pytest

from dispatch.demo.pace import cpu_share, speed_for


@pytest.mark.parametrize(("share", "speed"), [(1.0, 900), (0.7, 900), (0.35, 450), (0.01, 270)])
def test_the_speed_follows_what_is_left_of_the_machine(share, speed):
    assert speed_for(900, share) == speed


def test_a_share_is_a_part_of_one_processor():
    assert 0 < cpu_share() <= 1.1
