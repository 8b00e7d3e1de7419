"""Options of a sandbox that cannot work are refused by name before anything starts."""

import math

import pytest

from cliniko_async import ConfigurationError
from cliniko_async.sandbox import Sandbox
from cliniko_async.sandbox.__main__ import main


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("limit", value) for value in (0, -1, 1.5, True, "200", None)),
        *(("period", value) for value in (0, -1.0, math.inf, math.nan, "60", True)),
        *((name, value) for name in ("latency", "jitter") for value in (-1, -0.001, math.inf, math.nan, "1", None)),
        *(("window", value) for value in ("slide", "", None, ["fixed"])),
        *(("ids", value) for value in ("falling", None)),
        *(("port", value) for value in (-1, 65_536, "80", None)),
        *(("host", value) for value in ("", None)),
        *(("appointment_types", value) for value in (-1, 1.5, None)),
        *(("seed", value) for value in ("one", None, 1.5)),
        *(("unsortable", value) for value in ("id", ["nothing"])),
        *((name, value) for name in ("clock", "wall") for value in (0.0, None)),
        *((name, value) for name in ("strict", "shuffle_ties", "archiving_touches") for value in ("no", 1, None)),
    ],
)
def test_an_option_that_cannot_work_is_named_with_what_was_given(option, value):
    with pytest.raises(ConfigurationError, match=rf"^{option} must be ") as caught:
        Sandbox(**{option: value})
    assert option == "unsortable" or repr(value) in str(caught.value)


@pytest.mark.parametrize("key", ["", "with space", "with:colon", "tab\t", "caf\u00e9", 5])
def test_a_key_that_cannot_be_sent_is_refused_without_being_shown(key):
    with pytest.raises(ConfigurationError, match=r"^api_key must be ") as caught:
        Sandbox(api_key=key)
    assert not str(key) or str(key) not in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [
        {"limit": 1, "period": 0.5, "window": "bucket", "latency": 0, "jitter": 0.0, "appointment_types": 0},
        {
            "api_key": "MS0xLWl4SzYY-au2",
            "unsortable": iter(["id", "name"]),
            "ids": "random",
            "seed": -5,
            "strict": True,
        },
    ],
)
def test_whatever_can_work_is_taken(options):
    assert Sandbox(**options)


def test_the_program_says_which_option_cannot_work(capsys):
    assert main(["--port", "0", "--limit", "0"]) == 2
    assert capsys.readouterr() == ("", "limit must be a whole number from 1, not 0\n")
