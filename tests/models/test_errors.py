"""Errors say whose fault it is, and what to do."""

import pytest

from dispatch import errors


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (errors.Rejected("not-json", "the value is not JSON"), errors.Rejected),
        (errors.Fenced("a newer writer has sequence 8"), errors.Conflict),
        (errors.ConfigError("config/sla.yaml", 7, "no calendar named day"), errors.Broken),
        (errors.LaneError("topics are missing", "Create them"), errors.Broken),
    ],
)
def test_every_error_is_theirs_or_nobodys_or_ours(error, kind):
    assert isinstance(error, kind)
    assert isinstance(error, errors.DispatchError)
    assert sum(isinstance(error, fault) for fault in (errors.Rejected, errors.Conflict, errors.Broken)) == 1


def test_a_refusal_of_one_fault_tells_code_path_and_message():
    refused = errors.Rejected("missing-field", "is required", "reporter.id")

    assert refused.errors == [{"path": "reporter.id", "message": "is required"}]
    assert str(refused) == "missing-field: reporter.id: is required"


def test_a_config_error_tells_file_line_what_and_what_was_expected():
    error = errors.ConfigError("config/sla.yaml", 7, "no calendar named day", "one of work, always")

    assert str(error) == "config/sla.yaml:7: no calendar named day; expected one of work, always"
    assert str(errors.ConfigError("config/sla.yaml", None, "is empty")) == "config/sla.yaml: is empty"


def test_a_lane_error_tells_what_to_do():
    error = errors.LaneError("dispatch.commands has 3 partitions, recorded were 4", "Restore the topic")

    assert str(error) == "dispatch.commands has 3 partitions, recorded were 4. Restore the topic"
