"""`python -m awxfast.broadcast --check`: what would keep these settings from working, a line each. Dials nobody."""

import asyncio

import uvloop

from awxfast.broadcast.credentials import find_keys, find_secret, make_tls
from awxfast.broadcast.engine_side import open_engine
from awxfast.broadcast.node_redis import find_redis
from awxfast.broadcast.options import DiallerSettings
from awxfast.broadcast.peers_file import PeersFile
from awxfast.engine.probe import probe
from awxfast.process.findings import Findings, ask_redis

PEERS = "peers, and a database that has them"
RIGHTS = "rights in Redis"


def run(settings: DiallerSettings) -> int:
    """Problems on stderr, all else on stdout. Returns 0 without problems, else what a start would end with."""
    findings = Findings("awxfast-broadcast")
    for step in (find_secret, find_keys, make_tls):
        findings.attempt(step, settings)
    if settings.peers_file is not None:
        findings.attempt(PeersFile(settings.peers_file, settings.port).read)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(ask_others(findings, settings))
    findings.report("; ".join((PEERS, RIGHTS)) if settings.mesh else RIGHTS)
    return findings.exit_code


async def ask_others(findings: Findings, settings: DiallerSettings) -> None:
    """Redis, and the engine if there is one."""
    if addresses := findings.attempt(find_redis, settings):
        await ask_redis(findings, addresses)
    carrier = findings.attempt(open_engine, settings)
    if carrier is not None and (said := await findings.attempt_async(probe(carrier))):
        findings.note_engine(said, settings.engine)
