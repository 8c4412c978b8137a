"""AWX's settings as defaults, from an object like Django's."""

from types import SimpleNamespace

import pytest
from awxfast.broadcast.awx_settings import AwxSettings, load_awx_settings, make_dsn, read_django_settings

AWX = {
    "CLUSTER_HOST_ID": "awx-1",
    "BROADCAST_WEBSOCKET_SECRET": "hush",
    "BROADCAST_WEBSOCKET_PORT": 8052,
    "BROADCAST_WEBSOCKET_PROTOCOL": "http",
    "BROADCAST_WEBSOCKET_VERIFY_CERT": False,
    "BROADCAST_WEBSOCKET_GROUP_NAME": "nodes",
    "BROKER_URL": "unix:///var/run/redis/redis.sock",
    "CHANNEL_LAYERS": {
        "default": {"CONFIG": {"hosts": ["unix:///r.sock"], "capacity": 10_000, "group_expiry": 157_784_760}}
    },
    "DATABASES": {
        "default": {
            "ENGINE": "awx.main.db.profiled_pg",
            "NAME": "awx",
            "USER": "awx",
            "PASSWORD": "it's \\ hush",
            "HOST": "db",
            "PORT": 5432,
            "OPTIONS": {"sslmode": "prefer", "sslrootcert": "/ca.crt"},
        }
    },
}


def read(**changes: object) -> AwxSettings:
    return read_django_settings(SimpleNamespace(**{**AWX, **changes}))


class TestRead:
    def test_everything_that_awx_says(self) -> None:
        settings = read()
        assert (settings.name, settings.port, settings.protocol) == ("awx-1", 8052, "http")
        assert (settings.redis, settings.capacity, settings.group_expiry) == (("unix:///r.sock",), 10_000, 157_784_760)
        assert (settings.secret, settings.backplane_group) == ("hush", "nodes")

    def test_certificates_are_none_of_awxs_business(self) -> None:
        assert "verify_cert" not in read().values()

    def test_broker_stands_in_for_a_layer_without_hosts(self) -> None:
        assert read(CHANNEL_LAYERS={}).redis == ("unix:///var/run/redis/redis.sock",)

    @pytest.mark.parametrize(
        ("host", "url"),
        [
            (("redis.example", 7), "redis://redis.example:7"),
            ({"address": ("::1", 7)}, "redis://[::1]:7"),
            ({"address": "unix:///r.sock"}, "unix:///r.sock"),
            ({"address": "unix:///r.sock", "db": 1}, ""),
            ({"master_name": "m", "sentinels": [("a", 1)]}, ""),
        ],
    )
    def test_hosts_are_read_as_the_server_reads_them(self, host: object, url: str) -> None:
        layers = {"default": {"CONFIG": {"hosts": [host, host]}}}
        assert read(CHANNEL_LAYERS=layers).redis == ((url, url) if url else ())

    def test_how_the_layers_messages_are_written_is_taken_over(self) -> None:
        said = {"expiry": 30, "random_prefix_length": 0, "serializer_format": "json"}
        settings = read(CHANNEL_LAYERS={"default": {"CONFIG": {**said, "symmetric_encryption_keys": ["sesame"]}}})
        assert {name: settings.values()[name] for name in said} == said
        assert settings.encryption_keys == (b"sesame",)
        assert "sesame" not in repr(settings) + repr(settings.values())

    def test_listeners_database_is_the_usual_one_but_for_what_it_names(self) -> None:
        conninfo = pytest.importorskip("psycopg.conninfo")
        listener = {"default": {"HOST": "listener", "OPTIONS": {"keepalives_idle": 5, "sslmode": "require"}}}
        usual = conninfo.conninfo_to_dict(read().postgres)
        assert conninfo.conninfo_to_dict(read(LISTENER_DATABASES=listener).postgres) == {
            **usual,
            "host": "listener",
            "keepalives_idle": "5",
            "sslmode": "require",
        }

    def test_nothing_said_is_nothing_given(self) -> None:
        assert read_django_settings(SimpleNamespace()).values() == {}


class TestDsn:
    def test_values_are_quoted_as_libpq_reads_them(self) -> None:
        conninfo = pytest.importorskip("psycopg.conninfo")
        assert conninfo.conninfo_to_dict(read().postgres) == {
            "dbname": "awx",
            "user": "awx",
            "password": "it's \\ hush",
            "host": "db",
            "port": "5432",
            "sslmode": "prefer",
            "sslrootcert": "/ca.crt",
        }

    def test_options_for_django_stay_with_django(self) -> None:
        options = {"server_side_binding": True, "assume_role": "awx", "application_name": "awx"}
        dsn = make_dsn({"ENGINE": "django.db.backends.postgresql", "NAME": "awx", "OPTIONS": options})
        assert dsn == "dbname='awx' application_name='awx'"

    @pytest.mark.parametrize("engine", ["django.db.backends.sqlite3", ""])
    def test_other_databases_are_none(self, engine: str) -> None:
        assert make_dsn({"ENGINE": engine, "NAME": "x"}) == ""


class TestLoad:
    def test_machine_without_awx_has_none(self) -> None:
        assert load_awx_settings() == AwxSettings()
