"""Who is let in by a real server of NATS, by its login and by TLS, and what is said where nobody is."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

import nkeys
import pytest
from certificates import SelfSigned
from nats_keys import NatsKey, NatsOperator
from nats_servers import NatsCluster, NatsServer
from nats_users import CHANNEL, Join, numbers_heard, pair_of, pass_one, publish_numbers, until


class TestLogin:
    async def test_wrong_password_is_said_in_words_once(
        self,
        nats_cluster: NatsCluster,
        join_nats: Join,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("awxfast.quiet_log.QUIET_SECONDS", 0.0)
        caplog.set_level(logging.INFO)
        for server in nats_cluster.servers:
            server.reload("authorization { user: awx, password: right }")
        user = await join_nats(nats_cluster.url.replace("//", "//awx:wrong-secret@"))
        await until(lambda: "refuses" in user.carrier.trouble)
        await asyncio.sleep(2)
        lines = [line for line in caplog.messages if "engine" in line]
        assert len(lines) == 1 and "refuses the user" in lines[0]
        assert "wrong-secret" not in "".join((*caplog.messages, user.carrier.trouble, repr(user.carrier.__dict__)))
        assert not user.carrier.up

    async def test_right_password_opens(self, start_nats: Callable[..., NatsServer], join_nats: Join) -> None:
        server = start_nats('authorization { user: awx, password: "r@ght" }')
        user = await join_nats(f"nats://awx:r%40ght@{server.place}")
        await user.until_up()

    async def test_token_opens_from_the_address_or_a_file(
        self, start_nats: Callable[..., NatsServer], join_nats: Join, tmp_path: Path
    ) -> None:
        server = start_nats("authorization { token: sesame }")
        (tmp_path / "token").write_text("sesame\n")
        for url in (f"nats://sesame@{server.place}", f"nats://{server.place}?token_file={tmp_path}/token"):
            await (await join_nats(url)).until_up()

    async def test_password_that_is_changed_is_noticed_and_so_is_the_right_one(
        self, start_nats: Callable[..., NatsServer], join_nats: Join, tmp_path: Path
    ) -> None:
        server = start_nats("authorization { token: first }")
        (tmp_path / "token").write_text("first")
        user = await join_nats(f"nats://{server.place}?token_file={tmp_path}/token")
        await user.until_up()
        server.reload("authorization { token: second }")
        await until(lambda: "refuses" in user.carrier.trouble)
        (tmp_path / "token").write_text("second")
        await until(lambda: user.cuts == 1)

    async def test_nkey_opens_from_a_file(
        self, start_nats: Callable[..., NatsServer], join_nats: Join, tmp_path: Path
    ) -> None:
        key = NatsKey(nkeys.PREFIX_BYTE_USER)
        server = start_nats(f"authorization {{ users: [{{ nkey: {key.public} }}] }}")
        (tmp_path / "nkey").write_text(f"{key.seed}\n")
        await (await join_nats(f"nats://{server.place}?nkey={tmp_path}/nkey")).until_up()

    async def test_credentials_of_an_operators_user_open(
        self, start_nats: Callable[..., NatsServer], join_nats: Join, tmp_path: Path
    ) -> None:
        operator = NatsOperator()
        server = start_nats(operator.settings)
        operator.write_creds(tmp_path / "node.creds")
        publisher, taker = await pair_of(join_nats, f"nats://{server.place}?creds={tmp_path}/node.creds")
        await pass_one(publisher, taker, b"let in")

    async def test_credentials_that_vanish_are_named_and_taken_again_when_they_are_back(
        self, start_nats: Callable[..., NatsServer], join_nats: Join, tmp_path: Path
    ) -> None:
        operator = NatsOperator()
        server = start_nats(operator.settings)
        file = tmp_path / "node.creds"
        operator.write_creds(file)
        user = await join_nats(f"nats://{server.place}?creds={file}")
        await user.until_up()
        file.write_text(f"-----BEGIN USER NKEY SEED-----\n{operator.user.seed}\n")
        server.kill()
        server.start()
        await until(lambda: "none of NATS' credentials" in user.carrier.trouble)
        assert operator.user.seed not in user.carrier.trouble
        operator.write_creds(file)
        await until(lambda: user.cuts == 1)


class TestTls:
    @pytest.fixture
    def signed(self, tmp_path: Path) -> SelfSigned:
        return SelfSigned(tmp_path)

    def settings(self, signed: SelfSigned, more: str = "") -> str:
        return f'tls {{ cert_file: "{signed.certificate}", key_file: "{signed.private_key}", timeout: 5, {more} }}'

    @pytest.mark.parametrize("scheme", ["tls", "nats"])
    async def test_messages_go_over_tls(
        self, start_nats: Callable[..., NatsServer], join_nats: Join, signed: SelfSigned, scheme: str
    ) -> None:
        server = start_nats(self.settings(signed))
        url = f"{scheme}://localhost:{server.port}?ssl_ca_certs={signed.certificate}"
        publisher, taker = await pair_of(join_nats, url)
        await publish_numbers(publisher, CHANNEL, range(2_000))
        publisher.carrier.publish(CHANNEL, bytes(1_000_000), 1)
        await until(lambda: len(taker.heard) == 2_001)
        assert numbers_heard(taker)[:2_000] == list(range(2_000))

    async def test_tls_connection_is_kept_over_a_kill(
        self, start_nats: Callable[..., NatsServer], join_nats: Join, signed: SelfSigned
    ) -> None:
        server = start_nats(self.settings(signed))
        url = f"tls://localhost:{server.port}?ssl_ca_certs={signed.certificate}"
        publisher, taker = await pair_of(join_nats, url)
        server.kill()
        await until(lambda: not taker.carrier.up and not publisher.carrier.up)
        server.start()
        await until(lambda: taker.cuts == publisher.cuts == 1)
        await pass_one(publisher, taker, b"back")

    async def test_end_of_a_tls_connection_is_told_by_us_alone(
        self,
        start_nats: Callable[..., NatsServer],
        join_nats: Join,
        signed: SelfSigned,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        server = start_nats(f"{self.settings(signed)}\nauthorization {{ user: awx, password: right }}")
        query = f"@localhost:{server.port}?ssl_ca_certs={signed.certificate}"
        right, wrong = await join_nats(f"tls://awx:right{query}"), await join_nats(f"tls://awx:wrong{query}")
        await right.until_up()
        await until(lambda: "refuses" in wrong.carrier.trouble)
        assert server.process is not None
        server.process.terminate()
        await until(lambda: not right.carrier.up)
        await asyncio.sleep(0.5)
        assert "eof_received" not in caplog.text

    async def test_frozen_tls_server_holds_up_nobody(
        self, start_nats: Callable[..., NatsServer], join_nats: Join, signed: SelfSigned
    ) -> None:
        server = start_nats(self.settings(signed))
        user = await join_nats(f"tls://localhost:{server.port}?ssl_ca_certs={signed.certificate}")
        await user.until_up()
        server.freeze()
        await until(lambda: "does not answer within" in user.carrier.trouble)
        server.thaw()
        await until(lambda: user.cuts == 1)

    async def test_certificate_of_somebody_else_is_refused(
        self, start_nats: Callable[..., NatsServer], join_nats: Join, signed: SelfSigned, tmp_path: Path
    ) -> None:
        server = start_nats(self.settings(signed))
        other = SelfSigned(tmp_path, "other")
        user = await join_nats(f"tls://localhost:{server.port}?ssl_ca_certs={other.certificate}")
        await until(lambda: "its certificate is refused: " in user.carrier.trouble)
        assert not user.carrier.up

    async def test_certificate_for_another_name_is_refused_unless_told(
        self, start_nats: Callable[..., NatsServer], join_nats: Join, signed: SelfSigned
    ) -> None:
        server = start_nats(self.settings(signed))
        url = f"tls://127.1:{server.port}?ssl_ca_certs={signed.certificate}"
        user = await join_nats(url)
        await until(lambda: "its certificate is refused: Hostname mismatch" in user.carrier.trouble)
        await (await join_nats(f"{url}&ssl_check_hostname=false")).until_up()

    async def test_client_shows_its_certificate(
        self, start_nats: Callable[..., NatsServer], join_nats: Join, signed: SelfSigned, tmp_path: Path
    ) -> None:
        ours = SelfSigned(tmp_path, "client")
        server = start_nats(self.settings(signed, f'ca_file: "{ours.certificate}", verify: true'))
        url = f"tls://localhost:{server.port}?ssl_ca_certs={signed.certificate}"
        bare = await join_nats(url)
        shown = await join_nats(f"{url}&ssl_certfile={ours.certificate}&ssl_keyfile={ours.private_key}")
        await shown.until_up()
        assert not bare.carrier.up

    async def test_login_is_not_sent_to_a_server_without_tls(
        self, start_nats: Callable[..., NatsServer], join_nats: Join
    ) -> None:
        server = start_nats("authorization { user: awx, password: secret }, trace: true, debug: true")
        user = await join_nats(f"tls://awx:secret@{server.place}")
        await until(lambda: "it has no TLS" in user.carrier.trouble)
        assert not user.carrier.up and "CONNECT" not in server.log

    async def test_tls_is_used_where_a_server_leaves_it_open(
        self, start_nats: Callable[..., NatsServer], join_nats: Join, signed: SelfSigned
    ) -> None:
        server = start_nats(f"{self.settings(signed)}\nallow_non_tls: true")
        user = await join_nats(f"tls://localhost:{server.port}?ssl_ca_certs={signed.certificate}")
        await user.until_up()
        assert server.look("connz")["connections"][0]["tls_version"] == "1.3"

    async def test_servers_that_the_cluster_tells_of_are_taken_for_the_named_one(
        self, join_nats: Join, signed: SelfSigned
    ) -> None:
        cluster = NatsCluster(3, self.settings(signed))
        try:
            named = cluster.servers[0]
            user = await join_nats(f"tls://localhost:{named.port}?ssl_ca_certs={signed.certificate}")
            await user.until_up()
            named.kill()
            await until(lambda: user.cuts == 1)
            assert user.port != named.port
        finally:
            cluster.close()
