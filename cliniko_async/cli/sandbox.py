"""`cliniko sandbox`: an invented clinic on this machine."""

import asyncio
import contextlib
import os
import signal
from typing import Annotated, TypeAlias

from cyclopts import Parameter
from cyclopts.validators import Number

from ..sandbox import Sandbox
from .errors import CommandError
from .output import write_lines

Port: TypeAlias = Annotated[int, Parameter(validator=Number(gte=0, lte=65_535))]


async def sandbox(*, port: Port = 8321, seed: int = 1) -> None:
    """Run an invented clinic on this machine, to try things out.

    It prints the settings for another terminal, and runs until Ctrl-C. Nothing leaves this machine.

    Args:
        port: The port to listen on; 0 means any free port.
        seed: Another number invents another clinic.
    """
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        # Where the loop cannot handle signals, Ctrl-C raises a KeyboardInterrupt.
        with contextlib.suppress(NotImplementedError):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with contextlib.AsyncExitStack() as stack:
        try:
            clinic = await stack.enter_async_context(Sandbox(port=port, seed=seed))
        except OSError as error:
            raise CommandError(f"port {port}: {os.strerror(error.errno or 0)}; choose another with --port") from None
        write_lines(
            [
                "Type this in another terminal, then for example: cliniko list patients",
                "",
                f"export CLINIKO_BASE_URL={clinic.base_url}",
                f"export CLINIKO_API_KEY={clinic.api_key}",
                "export CLINIKO_CONTACT_EMAIL=me@example.com",
                "",
                "Ctrl-C stops it.",
            ]
        )
        await stop.wait()
