"""Many accounts: the result of an account has the type that the job returns."""

from contextlib import aclosing
from typing import assert_type

from cliniko_async import AccountPool, AccountResult, Cliniko, Patient, RateLimiter, SlidingWindowLimiter


async def count(account: str, cliniko: Cliniko) -> int:
    return await cliniko.patients.list().count()


async def first(account: str, cliniko: Cliniko) -> Patient | None:
    return await cliniko.patients.list().first()


async def nothing(_: str, cliniko: Cliniko) -> None:
    await cliniko.patients.archive("1")


def limiter(api_key: str) -> RateLimiter:
    return SlidingWindowLimiter(limit=len(api_key))


async def a_job_for_all(keys: dict[str, str]) -> None:
    async with AccountPool(app_name="A", contact_email="a@b.co", limiter=limiter, priority="bulk") as pool:
        assert_type(pool, AccountPool)
        assert_type(pool.client("key", priority="interactive", base_url="https://example.com"), Cliniko)
        async with aclosing(pool.run(count, keys, concurrency=5)) as outcomes:
            async for done in outcomes:
                assert_type(done, AccountResult[int])
                assert_type(done.account, str)
                assert_type(done.result, int | None)
                assert_type(done.error, Exception | None)
        async for found in pool.run(first, keys):
            assert_type(found, AccountResult[Patient | None])
        async for empty in pool.run(nothing, keys):
            assert_type(empty, AccountResult[None])
        pool.client("key", session=None)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
        pool.run(count, ["key"])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
