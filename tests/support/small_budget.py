"""The example of a backend with a small budget, so that its processes have to share it within a test."""

from functools import partial

from cliniko_async import SqliteLimiter
from examples.fastapi_app import main

LIMIT, PERIOD = 40, 2.0
main.SqliteLimiter = partial(SqliteLimiter, limit=LIMIT, period=PERIOD)
app = main.app
