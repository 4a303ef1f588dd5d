"""The page about the lifecycle is drawn from the table."""

from dispatch.lifecycle_doc import PAGE, STATES, main, page
from dispatch.rules.lifecycle import ALL, MOVES


def test_the_page_is_what_the_table_says():
    assert PAGE.read_text("utf-8") == page(), "run python -m dispatch.lifecycle_doc"
    assert main(["--check"]) == 0


def test_the_page_speaks_of_every_state_and_action():
    assert set(STATES) == ALL
    for word in (*STATES, *MOVES):
        assert word in page()
