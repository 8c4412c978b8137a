"""One node of the demo's cluster: a Redis, a relay, the program that publishes for it, and a job that runs there."""

import asyncio
from collections import Counter

from awxfast.demo.child_program import ChildProgram
from awxfast.demo.engine_servers import free_ports
from awxfast.demo.job_producer import JobProducer
from awxfast.demo.relay import RelayProcess
from awxfast.redis.private import PrivateRedis


class DemoNode:
    """Can be killed as a whole and started again, at the same port."""

    def __init__(self, name: str, job: int, engine_url: str, rate: float) -> None:
        """`rate`: the job's events a second."""
        self.name, self.job = name, job
        self._engine_url, self._rate = engine_url, rate
        self.port, self.admin = free_ports(2)
        self.state = "starting"
        """`starting`, `up` or `killed`, for the page."""
        self._sent: Counter[str] = Counter()
        self._redis: PrivateRedis | None = None
        self._relay: RelayProcess | None = None
        self._dialler: ChildProgram | None = None
        self._producer: JobProducer | None = None

    @property
    def url(self) -> str:
        """Where its browsers subscribe."""
        return f"ws://127.0.0.1:{self.port}/websocket/"

    @property
    def sent(self) -> int:
        """Events of all its lives, as far as they were told."""
        return (self._sent + (self._producer.sent if self._producer else Counter())).total()

    async def start(self) -> None:
        """Returns when browsers may come. Raises `StartError`."""
        self.state = "starting"
        self._redis = PrivateRedis(allow_wheel=True)
        words = ["--engine", self._engine_url]
        self._relay = await RelayProcess.start(self._redis.url, words, self.port, self.admin, self.name)
        words += ["--redis", self._redis.url, "--no-mesh", "--name", self.name, "-v", "0"]
        self._dialler = await ChildProgram.spawn("awxfast.broadcast", words)
        self._dialler.echo_log(f"{self.name}, dialler")
        self.state = "up"

    async def run_job(self) -> None:
        """From now on it has events."""
        assert self._redis is not None
        self._producer = await JobProducer.start(self._redis.url, self._rate, [self.job])

    async def end_job(self) -> None:
        if self._producer is not None:
            await self._producer.stop()

    async def kill(self) -> None:
        """All of it at once, as if the machine were gone."""
        self.state = "killed"
        parts = [part for part in (self._producer, self._relay, self._dialler) if part is not None]
        await asyncio.gather(*(part.kill() for part in parts))
        if self._producer is not None:
            self._sent += self._producer.sent
        self._producer = self._relay = self._dialler = None
        self._stop_redis()

    async def stop(self) -> None:
        """In order; also what has only begun to start."""
        await asyncio.gather(*(part.stop() for part in (self._relay, self._dialler) if part is not None))
        self._relay = self._dialler = None
        if self._producer is not None:
            await self._producer.kill()
        self._stop_redis()

    def _stop_redis(self) -> None:
        if self._redis is not None:
            self._redis.stop()
            self._redis = None
