"""The layers that send the requests of a client, with its options or those of a view."""

from typing import TYPE_CHECKING

import attrs

from ._http.attempt import Transport, TransportWrapper
from ._http.options import CallOptions
from ._http.rate_limit import RateLimited
from ._http.reporter import Reporter
from ._http.retry import Retrying
from ._http.session import SessionManager
from ._http.transport import AiohttpTransport

if TYPE_CHECKING:
    from ._files.storage import FileStore


class ClientView:
    """The `Api` through which the resources of a client, or of a view of it, send their requests."""

    def __init__(self, manager: SessionManager, options: CallOptions, wrap: TransportWrapper | None = None) -> None:
        """Create the view.

        Args:
            manager: Owns the session that all views of a client share.
            options: The options of the calls.
            wrap: Returns a transport around another one; it sees each attempt that has a permit.
        """
        self._manager = manager
        self.options = options
        self.server = manager.server
        self.account_digest = manager.account_digest
        self.unsortable = manager.unsortable
        transport: Transport = AiohttpTransport(manager.session, manager.credentials, options.timeout)
        reporter = Reporter(manager.server, options.priority, options.observers)
        limited = RateLimited(wrap(transport) if wrap else transport, manager.limiter, options.priority, reporter)
        self.send = Retrying(limited, options.retry, manager, options.deadline, reporter).send
        self._reporter = reporter
        self.emit = reporter.emit
        self.spawn = manager.calls.spawn

    def bulk(self) -> "ClientView":
        """Return a copy of this view with bulk priority."""
        return ClientView(self._manager, attrs.evolve(self.options, priority="bulk"))

    def bulk_through(self, wrap: TransportWrapper, /) -> "ClientView":
        """Return a copy with bulk priority, no deadline, and a transport around the original one."""
        return ClientView(self._manager, attrs.evolve(self.options, priority="bulk", deadline=None), wrap)

    @property
    def file_store(self) -> "FileStore":
        """The file store, for uploads and downloads with the options of this view."""
        from ._files.storage import FileStore  # noqa: PLC0415  (few programs send files)

        return FileStore(self._manager, self.options, self._reporter)
