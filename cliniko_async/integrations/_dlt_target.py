"""The database that a sync writes to, and the locks that keep two syncs of one dataset apart."""

import contextlib
import hashlib
import os
import re
import threading
from collections import defaultdict
from collections.abc import Generator
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

import attrs
import dlt
from dlt.common.pipeline import get_dlt_pipelines_dir
from dlt.destinations.impl.postgres.configuration import PostgresCredentials

from .. import ConfigurationError, UsageError
from .._file_lock import file_lock

_DATASET = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", re.ASCII)
_LONGEST_DATASET = 40
_STAGING = "_staging"
_FORMS = "duckdb:///FILE or postgresql://USER@HOST/DATABASE"
_BUSY = "is being synced by another program: two at once would load each other's rows"

_LOADING: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)


@attrs.frozen
class Target:
    """Where the rows of a clinic go.

    Attributes:
        destination: The destination, for dlt.
        location: What distinguishes it from other destinations, without a password.
        dataset: The schema of the database.
        in_turn: Whether loads of this process into this destination must take turns.
        lock: A statement that takes a lock with a name until the connection ends, or says that it is taken; or None.
    """

    destination: Any = attrs.field(repr=False)
    location: str = attrs.field(repr=False)
    dataset: str
    in_turn: bool = False
    lock: str | None = None

    @property
    def pipeline_name(self) -> str:
        """The name of the pipeline, which is also that of its folder."""
        digest = hashlib.blake2b(f"{self.location} {self.dataset}".encode(), digest_size=6).hexdigest()
        return f"cliniko_{self.dataset}_{digest}"

    @contextlib.contextmanager
    def reserved(self) -> Generator[None]:
        """Refuse other syncs of the dataset by programs of this machine.

        Raises:
            UsageError: Another one is running.
        """
        folder = Path(get_dlt_pipelines_dir())
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(file_lock(folder / f"{self.pipeline_name}.lock"))
            except BlockingIOError:
                raise UsageError(f"{self.dataset} {_BUSY}") from None
            yield

    @contextlib.contextmanager
    def reserved_in_database(self, pipeline: dlt.Pipeline) -> Generator[None]:
        """Refuse other syncs of the dataset by programs of any machine, if the database has such locks.

        Raises:
            UsageError: Another one is running.
        """
        if self.lock is None:
            yield
            return
        with pipeline.sql_client() as client:
            found: Any = client.execute_sql(self.lock, f"cliniko_async {self.dataset}")
            if not found[0][0]:
                raise UsageError(f"{self.dataset} {_BUSY}")
            yield

    def loading(self) -> contextlib.AbstractContextManager[object]:
        """Return the context in which rows are loaded."""
        return _LOADING[self.location] if self.in_turn else contextlib.nullcontext()


def target_of(to: Any, dataset: str) -> Target:
    """Return the target for the URL of a database, or for a destination of dlt.

    Raises:
        ConfigurationError: The URL or the name of the dataset is invalid, or the URL has a password.
    """
    if not _DATASET.fullmatch(dataset) or len(dataset) > _LONGEST_DATASET or dataset.endswith(_STAGING):
        raise ConfigurationError(
            f"dataset must have at most {_LONGEST_DATASET} letters a to z, digits and single underscores, begin with a "
            f"letter and not end with {_STAGING}"
        )
    if not isinstance(to, str):
        return Target(to, f"{to.destination_name} {to.destination_type}", dataset, in_turn=True)
    try:
        url = urlsplit(to)
        password = url.password
    except ValueError:
        raise ConfigurationError(f"the URL of a database is written {_FORMS}") from None
    if password is not None or "password" in url.query:
        raise ConfigurationError("a URL shows in process lists and logs: put the password into PGPASSWORD instead")
    if url.scheme == "duckdb":
        return _duckdb(url, dataset)
    if url.scheme in {"postgresql", "postgres"}:
        return _postgresql(url, dataset)
    raise ConfigurationError(f"the URL of a database is written {_FORMS}")


def _duckdb(url: SplitResult, dataset: str) -> Target:
    path = url.path[1:]
    if url.netloc or not path or url.query:
        raise ConfigurationError(
            "the URL of a DuckDB file is written duckdb:///clinic.duckdb or duckdb:////data/x.duckdb"
        )
    if Path(path).stem == dataset:
        raise ConfigurationError(
            f"DuckDB cannot have a schema {dataset} in a file of the same name: choose another name for one of them"
        )
    location = os.path.abspath(path)  # noqa: PTH100  (a Path would follow links)
    return Target(dlt.destinations.duckdb(credentials=location), f"duckdb {location}", dataset, in_turn=True)


def _postgresql(url: SplitResult, dataset: str) -> Target:
    if not (url.hostname and url.path.strip("/") and url.username):
        raise ConfigurationError("the URL of a PostgreSQL database is written postgresql://USER@HOST/DATABASE")
    text = url._replace(scheme="postgresql").geturl()
    credentials = PostgresCredentials(text)
    # Without a password, the library of PostgreSQL looks into its password file.
    credentials.password = os.environ.get("PGPASSWORD", "")
    location = f"postgresql {url.hostname} {url.port or 5432} {url.path}"
    destination = dlt.destinations.postgres(credentials=credentials)
    return Target(destination, location, dataset, lock="SELECT pg_try_advisory_lock(hashtext(%s))")
