"""The client: what it is made of, one attribute for each resource, and the way out for what is not modelled."""

import json
import os
import re
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypedDict, TypeVar, Unpack, cast, get_args, overload
from urllib.parse import quote

import aiohttp
import attrs
import msgspec

from ._frames import HiddenLocals, hides_locals
from ._http.config import base_url_for, checked_key, user_agent
from ._http.retry import RateLimited, Retrying, RetryPolicy, check_seconds
from ._http.session import OnePerProcess, SessionManager
from ._http.transport import AiohttpTransport
from ._messages import Credentials, Request, Response, Server, is_unicode
from ._spelling import did_you_mean
from .errors import ConfigurationError, InvalidRequestError
from .limits import Limits, Priority, RateLimiter, shared_limiter
from .links import Link, ListLink
from .pagination import Paginator
from .resources._base import AnyResource, Resource
from .resources._follow import follow_link, follow_list, resolve_links
from .resources._registry import RESOURCES, ResourceAttribute, Resources

if TYPE_CHECKING:
    from ._files.storage import Store
    from .resources.appointment_type import AppointmentTypes
    from .resources.appointment_type_billable_item import AppointmentTypeBillableItems
    from .resources.appointment_type_product import AppointmentTypeProducts
    from .resources.attendee import Attendees
    from .resources.availability_block import AvailabilityBlocks
    from .resources.available_time import AvailableTimes
    from .resources.billable_item import BillableItems
    from .resources.booking import Bookings
    from .resources.business import Businesses
    from .resources.communication import Communications
    from .resources.concession_price import ConcessionPrices
    from .resources.concession_type import ConcessionTypes
    from .resources.contact import Contacts
    from .resources.daily_availability import DailyAvailabilities
    from .resources.group_appointment import GroupAppointments
    from .resources.individual_appointment import IndividualAppointments
    from .resources.invoice import Invoices
    from .resources.invoice_item import InvoiceItems
    from .resources.medical_alert import MedicalAlerts
    from .resources.patient import Patients
    from .resources.patient_attachment import PatientAttachments
    from .resources.patient_case import PatientCases
    from .resources.patient_form import PatientForms
    from .resources.patient_form_template import PatientFormTemplates
    from .resources.practitioner import Practitioners
    from .resources.practitioner_reference_number import PractitionerReferenceNumbers
    from .resources.product import Products
    from .resources.product_supplier import ProductSuppliers
    from .resources.public_settings import PublicAccountSettings
    from .resources.referral_source import ReferralSources
    from .resources.referral_source_type import ReferralSourceTypes
    from .resources.relationship import Relationships
    from .resources.service import Services
    from .resources.settings import AccountSettings
    from .resources.signature import Signatures
    from .resources.stock_adjustment import StockAdjustments
    from .resources.tax import Taxes
    from .resources.treatment_note import TreatmentNotes
    from .resources.treatment_note_template import TreatmentNoteTemplates
    from .resources.unavailable_block import UnavailableBlocks
    from .resources.unavailable_block_type import UnavailableBlockTypes
    from .resources.user import Users

T = TypeVar("T")
Scalar = str | int | float | bool

_RETRY = RetryPolicy()
_METHOD = re.compile(r"[A-Z]{3,10}")


class ViewOptions(TypedDict, total=False):
    """What a view of a client may have otherwise."""

    timeout: float
    deadline: float | None
    retry: RetryPolicy
    priority: Priority


def _retry_policy(_: object, __: object, value: RetryPolicy) -> None:
    if not isinstance(value, RetryPolicy):
        raise ConfigurationError("retry must be a RetryPolicy")


def _known_priority(_: object, __: object, value: object) -> None:
    if value not in get_args(Priority):
        raise ConfigurationError('priority must be "interactive" or "bulk"')


@attrs.frozen
class _Options:
    timeout: float = attrs.field(validator=check_seconds)
    deadline: float | None = attrs.field(validator=attrs.validators.optional(check_seconds))
    retry: RetryPolicy = attrs.field(validator=_retry_policy)
    priority: Priority = attrs.field(validator=_known_priority)


class _View:
    """What resources see of a client: its options at work."""

    def __init__(self, manager: SessionManager, options: _Options) -> None:
        self._manager = manager
        self.options = options
        self.server = manager.server
        self.account = manager.account
        self.unsortable = manager.unsortable
        transport = AiohttpTransport(manager.session, manager.credentials, options.timeout)
        limited = RateLimited(transport, manager.limiter, options.priority)
        self.send = Retrying(limited, options.retry, manager, options.deadline).send
        self.spawn = manager.spawn

    @property
    def store(self) -> "Store":
        from ._files.storage import Store, StoreOptions  # noqa: PLC0415  (few programs send files)

        options = self.options
        return Store(self._manager, StoreOptions(options.timeout, options.deadline, options.retry, options.priority))


class Cliniko(OnePerProcess):
    """A client of the Cliniko API for one key; the session manager of all that is asked with it.

    `timeout` is in seconds for one attempt, `deadline` in seconds for one call with its waits and repeats. Without a
    `rate_limiter`, one is shared by all clients of the process with the same base URL and key. A `session` that is
    given is used, not changed and never closed.

    Raises:
        ConfigurationError: a key, name, URL or option cannot work.
        TypeError: `session` is not an `aiohttp.ClientSession`.
    """

    if TYPE_CHECKING:
        appointment_type_billable_items: ResourceAttribute[AppointmentTypeBillableItems]
        appointment_type_products: ResourceAttribute[AppointmentTypeProducts]
        appointment_types: ResourceAttribute[AppointmentTypes]
        attendees: ResourceAttribute[Attendees]
        availability_blocks: ResourceAttribute[AvailabilityBlocks]
        available_times: ResourceAttribute[AvailableTimes]
        billable_items: ResourceAttribute[BillableItems]
        bookings: ResourceAttribute[Bookings]
        businesses: ResourceAttribute[Businesses]
        communications: ResourceAttribute[Communications]
        concession_prices: ResourceAttribute[ConcessionPrices]
        concession_types: ResourceAttribute[ConcessionTypes]
        contacts: ResourceAttribute[Contacts]
        daily_availabilities: ResourceAttribute[DailyAvailabilities]
        group_appointments: ResourceAttribute[GroupAppointments]
        individual_appointments: ResourceAttribute[IndividualAppointments]
        invoice_items: ResourceAttribute[InvoiceItems]
        invoices: ResourceAttribute[Invoices]
        medical_alerts: ResourceAttribute[MedicalAlerts]
        patient_attachments: ResourceAttribute[PatientAttachments]
        patient_cases: ResourceAttribute[PatientCases]
        patient_form_templates: ResourceAttribute[PatientFormTemplates]
        patient_forms: ResourceAttribute[PatientForms]
        patients: ResourceAttribute[Patients]
        practitioner_reference_numbers: ResourceAttribute[PractitionerReferenceNumbers]
        practitioners: ResourceAttribute[Practitioners]
        product_suppliers: ResourceAttribute[ProductSuppliers]
        products: ResourceAttribute[Products]
        public_settings: ResourceAttribute[PublicAccountSettings]
        referral_source_types: ResourceAttribute[ReferralSourceTypes]
        referral_sources: ResourceAttribute[ReferralSources]
        relationships: ResourceAttribute[Relationships]
        services: ResourceAttribute[Services]
        settings: ResourceAttribute[AccountSettings]
        signatures: ResourceAttribute[Signatures]
        stock_adjustments: ResourceAttribute[StockAdjustments]
        taxes: ResourceAttribute[Taxes]
        treatment_note_templates: ResourceAttribute[TreatmentNoteTemplates]
        treatment_notes: ResourceAttribute[TreatmentNotes]
        unavailable_block_types: ResourceAttribute[UnavailableBlockTypes]
        unavailable_blocks: ResourceAttribute[UnavailableBlocks]
        users: ResourceAttribute[Users]

    def __init__(
        self,
        api_key: str,
        *,
        app_name: str,
        contact_email: str,
        shard: str | None = None,
        base_url: str | None = None,
        session: aiohttp.ClientSession | None = None,
        timeout: float = 40.0,
        deadline: float | None = None,
        retry: RetryPolicy = _RETRY,
        rate_limiter: RateLimiter | None = None,
        priority: Priority = "interactive",
    ) -> None:
        """Take the key and who asks; nothing is opened before the first request."""
        try:
            with HiddenLocals():
                options = _Options(timeout, deadline, retry, priority)
                credentials = Credentials(checked_key(api_key), user_agent(app_name, contact_email))
                server = Server(base_url_for(api_key, shard, base_url))
                limiter = shared_limiter(server.base_url, api_key) if rate_limiter is None else rate_limiter
                self._manager = SessionManager(server, credentials, limiter, session)
                self._view = _View(self._manager, options)
        finally:
            del api_key  # From the traceback of an error.
        self._owner = True

    @classmethod
    def from_env(cls, **options: Any) -> Self:  # noqa: ANN401
        """Make a client of CLINIKO_API_KEY, CLINIKO_APP_NAME, CLINIKO_CONTACT_EMAIL and perhaps CLINIKO_BASE_URL.

        Options given here come before the environment.

        Raises:
            ConfigurationError: a variable is missing, or cannot work.
        """
        try:
            for name in ("api_key", "app_name", "contact_email"):
                if name not in options:
                    options[name] = _from_env(f"CLINIKO_{name.upper()}")
            base_url = os.environ.get("CLINIKO_BASE_URL")
            if base_url and "shard" not in options:
                options.setdefault("base_url", base_url)
            return cls(**options)
        finally:
            options.clear()  # The key, from the traceback of an error.

    def with_options(self, **options: Unpack[ViewOptions]) -> Self:
        """Give a view with other options on the same session and limiter; it owns nothing and closes nothing."""
        try:
            changed = _changed(self._view.options, options)
        finally:
            cast("dict[str, object]", options).clear()  # Somebody may have given a key, which is to be in no traceback.
        view = object.__new__(type(self))
        _copy_state(self, view)
        view._view = _View(self._manager, changed)
        view._owner = False
        return view

    @property
    def resources(self) -> Mapping[str, AnyResource]:
        """Every resource by its name, with its `name`, `record`, `where` and `operations`."""
        return Resources(self)

    async def __aenter__(self) -> Self:
        """Use the client until the end of the block."""
        self._manager.check_open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the client."""
        await self.aclose()

    async def aclose(self) -> None:
        """Close the client: what is under way ends with a `UsageError`; a session that was given stays open."""
        if self._owner:
            await self._manager.close()

    async def request(
        self,
        method: str,
        path_or_url: str,
        *,
        params: Mapping[str, Scalar | Sequence[Scalar]] | None = None,
        json: Any = None,  # noqa: ANN401
    ) -> Response:
        """Send what is not modelled, with the same limiter, retries and errors, and give the answer.

        Raises:
            InvalidRequestError: the URL is not on this account's server below its base path, or an argument cannot be
                sent.
        """
        try:
            request = _request(self._view.server, method, path_or_url, params, json)
        finally:
            del path_or_url, params, json  # From the traceback of an error.
        return await self._view.send(request)

    @overload
    def follow(self, link: Link[T]) -> Awaitable[T]: ...

    @overload
    def follow(self, link: ListLink[T]) -> Paginator[T]: ...

    @hides_locals
    def follow(self, link: Link[Any] | ListLink[Any]) -> Awaitable[Any] | Paginator[Any]:
        """Give the record that a link leads to, or the list; archived, cancelled, deleted and inactive ones too.

        Raises:
            InvalidRequestError: the link leads to another server, or to what no operation answers.
            NotFoundError: there is no such record any more.
        """
        if isinstance(link, ListLink):
            return follow_list(self._view, link)
        if isinstance(link, Link):
            return follow_link(self._view, link)
        raise TypeError("a link is a Link or a ListLink of a record")

    async def resolve(self, links: Iterable[Link[T] | None]) -> dict[str, T]:
        """Give the records that links lead to, by id, 100 a request; what is not found is not in it.

        Raises:
            InvalidRequestError: a link leads to another server, or to what no operation answers, or two kinds of record
                have one id between them.
        """
        found = resolve_links(self._view, links)
        del links  # Their URLs may have a query.
        with HiddenLocals():
            return await found

    async def limits(self) -> Limits:
        """Tell how the budget stands: used, remaining, waiting, and the next free moment."""
        return await self._manager.limiter.limits()

    def __repr__(self) -> str:
        """The server; never the key."""
        # An error reporter may show one whose making failed.
        manager: SessionManager | None = getattr(self, "_manager", None)
        return f"Cliniko({manager.server.base_url!r})" if manager else "Cliniko(…)"

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            raise AttributeError(f"Cliniko has no attribute {name!r}{did_you_mean(name, dir(type(self)))}")

        def __enter__(self) -> NoReturn:
            raise TypeError("use `async with`: there is no synchronous client")

        def __exit__(self, *_: object) -> None:
            """Never reached: entering raises."""


for _name in RESOURCES:
    setattr(Cliniko, _name, ResourceAttribute(_name))


def _copy_state(client: Cliniko, view: Cliniko) -> None:
    """Copy what a client holds, but for its resources, which have its own options."""
    state: Any = object.__getstate__(client)
    # With slots, which a subclass may have, it is a pair.
    for part in cast("tuple[dict[str, object], ...]", state if isinstance(state, tuple) else (state,)):
        for name, value in part.items():
            if not (name in RESOURCES and isinstance(value, Resource)):
                object.__setattr__(view, name, value)


@hides_locals
def _changed(options: _Options, others: ViewOptions) -> _Options:
    known = ViewOptions.__annotations__
    for name in others.keys() - known.keys():
        near = did_you_mean(name, known, f"; it can have another {', '.join(known)}")
        raise ConfigurationError(f"a view has no option {name!r}{near}")
    return attrs.evolve(options, **others)


def _from_env(variable: str) -> str:
    value = os.environ.get(variable)
    if not value:
        raise ConfigurationError(f"the environment variable {variable} is not set")
    return value


@hides_locals
def _request(
    server: Server,
    method: str,
    path_or_url: str,
    params: Mapping[str, Scalar | Sequence[Scalar]] | None,
    json: Any,  # noqa: ANN401
) -> Request:
    if not isinstance(method, str) or not _METHOD.fullmatch(method.upper()):
        raise InvalidRequestError("method must be a word such as GET", argument="method")
    url = server.own(_with_params(_absolute(server, path_or_url), params))
    if url is None:
        raise InvalidRequestError(
            "path_or_url leads away from the server of the key, or has characters that must be encoded first",
            argument="path_or_url",
        )
    return Request(method.upper(), url, None if json is None else _json(json))


def _absolute(server: Server, path_or_url: str) -> str:
    if not isinstance(path_or_url, str):
        raise InvalidRequestError("path_or_url must be a str", argument="path_or_url")
    absolute = path_or_url.startswith("//") or "://" in path_or_url.partition("?")[0]
    return path_or_url if absolute else server.url("/" + path_or_url.removeprefix("/"))


def _with_params(url: str, params: Mapping[str, Scalar | Sequence[Scalar]] | None) -> str:
    pairs: list[str] = []
    if not isinstance(params, Mapping | None):
        raise InvalidRequestError("params must be a mapping", argument="params")
    for name, value in (params or {}).items():
        pairs += [f"{_quoted(name)}={_quoted(one)}" for one in _values(value)]
    return f"{url}{'&' if '?' in url else '?'}{'&'.join(pairs)}" if pairs else url


def _values(value: object) -> Iterable[object]:
    several = isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping)
    return cast("Iterable[object]", value if several else [value])


def _quoted(value: object) -> str:
    if isinstance(value, Scalar) and is_unicode(str(value)):
        return quote(str(value).lower() if isinstance(value, bool) else str(value), "")
    raise InvalidRequestError(
        "params must be a mapping of str, int, float or bool, or of several of them, in valid Unicode",
        argument="params",
    )


def _json(value: object) -> bytes:
    try:
        # By Python's own encoder, as that of msgspec sends null for a float that is not a number.
        plain = msgspec.to_builtins(value, str_keys=True)
        return json.dumps(plain, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
    except (msgspec.MsgspecError, TypeError, ValueError, RecursionError):
        pass  # Raised outside of the handler: the error of the encoder may hold the value.
    raise InvalidRequestError("json must be what JSON can express, in valid Unicode", argument="json")
