"""`cliniko limits`: the request budget of the account."""

from .context import Context
from .output import write_lines


async def limits(*, context: Context) -> None:
    """Show how much of the request budget is used.

    Cliniko allows 200 requests a minute for each user. Commands wait by themselves when the budget is used up.
    """
    async with context.client() as cliniko:
        found = await cliniko.limits()
    write_lines(
        [
            f"limit      {found.limit} requests a minute",
            f"used       {found.used}",
            f"remaining  {found.remaining}",
            f"next free  in {found.next_free:.0f} s" if found.next_free else "next free  now",
        ]
    )
