"""The query of a list: what all requests of an iteration have in common, and their URLs."""

from collections.abc import Iterable
from urllib.parse import parse_qsl, quote

import msgspec

from .._messages import RedactedRepr, Server

FULL_PAGE = 100
"""The largest page that the API sends."""


class ListQuery(RedactedRepr, msgspec.Struct, frozen=True):
    """Which records to list and in which order; the same for every page of an iteration."""

    server: Server
    sources: tuple[str, ...]
    """The URLs of the lists that make up the result, requested one after another."""
    filters: tuple[str, ...] = ()
    sort: tuple[str, ...] = ()
    per_page: int = FULL_PAGE
    stable: bool = False
    anchored: bool = False
    """Whether the list is in the order of `created_at` and has a filter on it."""
    dividable: bool = False
    """Whether the list has a filter on `id`."""

    def url(
        self, source: int = 0, extra: Iterable[str] = (), *, sort: str = "", per_page: int = 0, page: int = 0
    ) -> str:
        """Return the URL of a page, with each value encoded as the API encodes it in its own links.

        Args:
            source: Index of the list among `sources`.
            extra: Filters in addition to those of the query.
            sort: Columns to sort by instead of those of the query.
            per_page: Page size instead of that of the query.
            page: Page number; 0 leaves it out.
        """
        pairs = [("q[]", text) for text in (*self.filters, *extra)]
        pairs.append(("sort", sort or ",".join(self.sort)))
        pairs.append(("per_page", str(per_page or self.per_page)))
        pairs.append(("page", str(page) if page else ""))
        query = "&".join(f"{quote(name, '')}={quote(value, '')}" for name, value in pairs if value)
        base = self.sources[source]
        return f"{base}{'&' if '?' in base else '?'}{query}"

    def own_link(self, link: str, source: int) -> str | None:
        """Return a link of the list, with missing parts of the query added, or None if it leads elsewhere."""
        url = self.server.own_url(link)
        asked = self.url(source).partition("?")[2]
        if url is None or f"?{asked}&" in f"{url}&":
            return url
        given = set(parse_qsl(url.partition("?")[2]))
        names = {name for name, _ in given} - {"q[]"}
        missing = "&".join(
            f"{quote(name, '')}={quote(value, '')}"
            for name, value in parse_qsl(asked)
            if name not in names and (name, value) not in given
        )
        return f"{url}{'&' if '?' in url else '?'}{missing}" if missing else url
