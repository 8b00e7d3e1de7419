"""Links between records, as the API sends them: a URL, and the type of record that it leads to."""

from typing import TYPE_CHECKING, Annotated, Any, Generic, Self, TypeVar

import msgspec

from ._messages import is_id

T_co = TypeVar("T_co", covariant=True)


class SelfLink(msgspec.Struct, frozen=True, gc=False):
    """The URL of a record or of a list.

    Attributes:
        href: The URL.
    """

    href: str = msgspec.field(name="self")


class _AnyLink(msgspec.Struct, frozen=True, gc=False):
    links: SelfLink

    @property
    def href(self) -> str:
        """The URL as the API sent it."""
        return self.links.href

    if not TYPE_CHECKING:

        def __class_getitem__(cls, target: object) -> Any:  # noqa: ANN401
            # A plain generic would evaluate its target, which a resource file does not import at run time.
            return Annotated[cls, target]


class Link(_AnyLink, Generic[T_co], frozen=True, gc=False):
    """A link to one record; `await cliniko.follow(link)` returns the record.

    Attributes:
        links: The URL, as the API sends it.
    """

    @classmethod
    def to(cls, href: str) -> Self:
        """Create a link from a URL.

        Args:
            href: The URL, which must be on the server of the client that follows it.

        Returns:
            The link.
        """
        return cls(SelfLink(href))

    @property
    def id(self) -> str | None:
        """The id at the end of the URL, or None if the URL ends in a name."""
        last = self.href.partition("?")[0].rpartition("/")[2]
        return last if is_id(last) else None


class ListLink(_AnyLink, Generic[T_co], frozen=True, gc=False):
    """A link to many records; `async for record in cliniko.follow(link)` reads them.

    Attributes:
        links: The URL, as the API sends it.
    """
