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
    """What the resources of a client or a view send their requests with, by the protocol `Api`."""

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
        self.account = manager.account
        self.unsortable = manager.unsortable
        transport: Transport = AiohttpTransport(manager.session, manager.credentials, options.timeout)
        reporter = Reporter(manager.server, options.priority, options.observers)
        limited = RateLimited(wrap(transport) if wrap else transport, manager.limiter, options.priority, reporter)
        self.send = Retrying(limited, options.retry, manager, options.deadline, reporter).send
        self._reporter = reporter
        self.tell = reporter.tell
        self.spawn = manager.calls.spawn

    def bulk(self) -> "ClientView":
        """Return this view at bulk priority."""
        return ClientView(self._manager, attrs.evolve(self.options, priority="bulk"))

    def bulk_through(self, wrap: TransportWrapper, /) -> "ClientView":
        """Return this view at bulk priority, without a deadline, and with a transport around its own."""
        return ClientView(self._manager, attrs.evolve(self.options, priority="bulk", deadline=None), wrap)

    @property
    def store(self) -> "FileStore":
        """The file store, for uploads and downloads with the options of this view."""
        from ._files.storage import FileStore  # noqa: PLC0415  (few programs send files)

        return FileStore(self._manager, self.options, self._reporter)
