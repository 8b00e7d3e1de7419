"""The facts in tests/facts are a faithful copy of the original."""

import hashlib
from pathlib import Path

import pytest

from tests.support.paths import FACTS, ROOT

ORIGINAL = ROOT.parent / "shared" / "api"
MANIFEST = "SHA256SUMS"
COPIES = [folder for folder in (FACTS, ORIGINAL) if folder.is_dir()]


def sums(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("folder", COPIES, ids=["copy", "original"][: len(COPIES)])
def test_every_file_is_the_one_in_the_manifest(folder: Path) -> None:
    """The copy, and the original if it is beside the checkout, have exactly the files of the manifest."""
    lines = (FACTS / MANIFEST).read_text(encoding="utf-8").splitlines()
    assert {name: digest for digest, name in (line.split("  ") for line in lines)} == sums(folder)
