"""Exports resources to files: NDJSON, CSV or Parquet, one file for each resource.

```python
from cliniko_async.export import export

manifest = await export(cliniko, ["patients", "invoices"], to="backup", format="csv")
```

An export that was interrupted in any way continues when it is called again, and its files have exactly the rows of one
export. Importing this module does not import pyarrow.
"""

from ._manifest import ExportedResource, ExportError, Manifest, read_manifest
from ._runner import ExportProgress, export
from ._sources import FORMATS, ExportFormat, exportable

__all__ = [
    "FORMATS",
    "ExportError",
    "ExportFormat",
    "ExportProgress",
    "ExportedResource",
    "Manifest",
    "export",
    "exportable",
    "read_manifest",
]
