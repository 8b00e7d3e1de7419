"""Pages of appointment types: copies of the API's example, with different values."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

ENVELOPE = "appointment_types"
PAGE_SIZE = 100
EXAMPLES = Path(__file__).parent.parent / "tests/facts/examples"
_NUMBER, _DAY = b"########", b"yyyy-mm-dd"
_FIRST_DAY = dt.date(1990, 1, 1)
_WORDS = ("Initial", "Standard", "Extended", "Review", "Group", "Home", "Telehealth", "Follow-up")
_KINDS = ("Physiotherapy", "Osteopathy", "Podiatry", "Massage", "Psychology")


class Template:
    """A page with placeholders for its number, which cost a server next to nothing to fill in."""

    def __init__(self, size: int = PAGE_SIZE) -> None:
        """Create a page with this many records."""
        self.size = size
        example = json.loads((EXAMPLES / "appointment_type.json").read_bytes())
        records = [_vary(example, index) for index in range(size)]
        self._records = json.dumps(records, separators=(",", ":")).encode()

    def page(self, number: int, *, total: int, following: str | None) -> bytes:
        """Return the body of a page, numbered from 1; ids and times of creation rise from page to page."""
        day = (_FIRST_DAY + dt.timedelta(days=number)).isoformat()
        records = self._records.replace(_NUMBER, b"%08d" % number).replace(_DAY, day.encode())
        end = json.dumps({"total_entries": total, "links": {"self": "", "next": following}})
        return b'{"%s":%s,%s' % (ENVELOPE.encode(), records, end[1:].encode())


def one_page() -> bytes:
    """Return the body of a list that is one page."""
    return Template().page(1, total=PAGE_SIZE, following=None)


def page_behind(identity: str) -> int:
    """Return the number of the page after the one that ends with the record of this id."""
    return int(identity[2:10]) + 1


def _vary(example: dict[str, Any], index: int) -> dict[str, Any]:
    identity = f"14{_NUMBER.decode()}{index:05d}1234"
    text = json.dumps(example).replace(example["id"], identity)
    record: dict[str, Any] = json.loads(text)
    second = index * 8
    record["created_at"] = f"{_DAY.decode()}T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}Z"
    record["name"] = f"{_WORDS[index % 8]} Consultation {index}"
    record["category"] = _KINDS[index % 5]
    record["color"] = f"#{index * 7919 % 0xFFFFFF:06X}"
    record["duration_in_minutes"] = 15 + index % 6 * 15
    record["deposit_price"] = None if index % 4 == 0 else f"{index % 90 + 10}.{index % 100:02d}"
    record["description"] = f"{_WORDS[index % 7]} visit for {_KINDS[index % 3].lower()}, with assessment no. {index}."
    if index % 2:
        record |= {"product": None, "appointment_follow_up_template_ids": []}
    if index % 3:
        record |= {"treatment_note_template": None, "appointment_confirmation_template_ids": []}
    record["show_in_online_bookings"] = index % 3 > 0
    if index % 5 == 0:
        record["archived_at"] = "2025-06-02T23:41:50Z"
    return record
