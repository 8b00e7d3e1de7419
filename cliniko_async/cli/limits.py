"""`cliniko limits`: the request budget of the account."""

from .account import budget_file
from .context import Context
from .output import write_lines


async def limits(*, context: Context) -> None:
    """Show how much of the request budget is used.

    Cliniko allows 200 requests a minute for each user. All commands on this machine share the budget, and wait by
    themselves when it is used up.

    Args:
        context: The options of the command line.
    """
    async with context.client() as cliniko:
        found = await cliniko.limits()
    if budget_file() is None:
        context.note("each command has a budget of its own here; CLINIKO_BUDGET_FILE can name a file to share it in")
    write_lines(
        [
            f"limit      {found.limit} requests in 60 s",
            f"used       {found.used}",
            f"remaining  {found.remaining}",
            f"next free  in {found.next_free:.0f} s" if found.next_free else "next free  now",
        ]
    )
