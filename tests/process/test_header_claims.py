"""Questions to main, with the test in its place."""

import asyncio

from awxfast.process.header_claims import HeaderClaims


async def test_answer_is_for_whoever_asked() -> None:
    asked: list[str] = []
    claims = HeaderClaims(asked.append)
    waiting = [asyncio.ensure_future(claims.claim(header)) for header in ("1:a", "2:b")]
    await asyncio.sleep(0)
    assert asked == ["1:a", "2:b"]
    claims.receive("2:b", fresh=False)
    claims.receive("1:a", fresh=True)
    assert [await one for one in waiting] == [True, False]


async def test_header_that_is_asked_about_is_not_the_seconds_who_asks() -> None:
    claims = HeaderClaims(lambda _: None)
    first = asyncio.ensure_future(claims.claim("1:a"))
    await asyncio.sleep(0)
    assert not await claims.claim("1:a")
    claims.receive("1:a", fresh=True)
    assert await first


async def test_answer_after_whoever_asked_gave_up_is_nobodys() -> None:
    claims = HeaderClaims(lambda _: None)
    asking = asyncio.ensure_future(claims.claim("1:a"))
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.wait([asking])
    claims.receive("1:a", fresh=True)
    claims.receive("2:b", fresh=True)
