"""Creating many records, without a lost or duplicated one: `bulk_create`, its journal, and the rows of a file.

```python
async for outcome in bulk_create(cliniko.patients, rows, journal="patients.journal"):
    print(outcome.number, outcome.status, outcome.id)
```
"""

from ._create import BulkCreate, BulkRun, bulk_create
from ._decisions import decide, read_journal
from ._outcome import BulkOutcome, BulkPlan
from ._rows import RowStatus

__all__ = ["BulkCreate", "BulkOutcome", "BulkPlan", "BulkRun", "RowStatus", "bulk_create", "decide", "read_journal"]
