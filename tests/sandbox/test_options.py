"""Invalid options of a sandbox are refused by name before anything starts."""

import math

import pytest

from cliniko_async import ConfigurationError
from cliniko_async.sandbox import Sandbox
from cliniko_async.sandbox.__main__ import main
from tests.support.for_each import for_each

INVALID = {
    "limit": (0, -1, 1.5, True, "200", None),
    "period": (0, -1.0, math.inf, math.nan, "60", True),
    "latency": (-1, -0.001, math.inf, math.nan, "1", None),
    "jitter": (-1, -0.001, math.inf, math.nan, "1", None),
    "window": ("slide", "", None, ["fixed"]),
    "ids": ("falling", None),
    "port": (-1, 65_536, "80", None),
    "host": ("", None),
    "appointment_types": (-1, 1.5, None),
    "patients": (-1, 0, 41, 100.0, True, None),
    "seed": ("one", None, 1.5),
    "unsortable": ("id", ["nothing"]),
    "clock": (0.0, None),
    "wall": (0.0, None),
    "strict": ("no", 1, None),
    "shuffle_ties": ("no", 1, None),
    "archiving_touches": ("no", 1, None),
}


@for_each("option", [*INVALID])
def test_an_invalid_option_is_named_with_its_value(option):
    for value in INVALID[option]:
        with pytest.raises(ConfigurationError, match=rf"^{option} must be ") as caught:
            Sandbox(**{option: value})
        assert option == "unsortable" or repr(value) in str(caught.value)


def test_an_invalid_key_is_refused_without_being_shown():
    for key in ("", "with space", "with:colon", "tab\t", "caf\u00e9", 5):
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
def test_valid_options_are_accepted(options):
    assert Sandbox(**options)


def test_the_program_names_an_invalid_option(capsys):
    assert main(["--port", "0", "--limit", "0"]) == 2
    assert capsys.readouterr() == ("", "limit must be a whole number from 1, not 0\n")
