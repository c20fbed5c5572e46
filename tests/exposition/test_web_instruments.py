from __future__ import annotations

from exporter.exposition import Format, Instruments
from tests.harness import Harness, configuration
from tests.virtual_time import EPOCH, FakeClock

WEB = "confluent_cloud_exporter_web_"
URL = "https://keys.team.example/exporter/keys"


def samples(instruments: Instruments, prefix: str, form: Format = Format.TEXT) -> dict[str, str]:
    """Return the samples whose name begins with ``prefix``, by name and labels."""
    lines = instruments.process(form).decode().splitlines()
    split = (line.rpartition(" ") for line in lines if line.startswith(prefix))
    return {series: value for series, _, value in split}


async def test_a_web_configuration_file_is_loaded_and_nobody_rejected_at_the_start() -> None:
    instruments = Instruments(clock=FakeClock(), process=False, web_config_file=True)
    assert samples(instruments, WEB) == {
        f"{WEB}config_last_reload_successful": "1.0",
        f"{WEB}config_last_reload_success_timestamp_seconds": "1.79e+09",
        f"{WEB}tls_handshake_failures_total": "0.0",
        f"{WEB}authentication_failures_total": "0.0",
    }
    assert EPOCH == 1_790_000_000


async def test_a_rejected_web_configuration_keeps_the_time_of_the_last_valid_one() -> None:
    clock = FakeClock()
    instruments = Instruments(clock=clock, process=False, web_config_file=True)
    successful = f"{WEB}config_last_reload_successful"
    timestamp = f"{WEB}config_last_reload_success_timestamp_seconds"
    await clock.sleep(100)
    instruments.web.config_loaded(successful=True)
    await clock.sleep(100)
    instruments.web.config_loaded(successful=False)
    after = samples(instruments, WEB)
    assert after[successful] == "0.0"
    assert float(after[timestamp]) == EPOCH + 100
    await clock.sleep(100)
    instruments.web.config_loaded(successful=True)
    after = samples(instruments, WEB)
    assert after[successful] == "1.0"
    assert float(after[timestamp]) == EPOCH + 300


async def test_failed_handshakes_and_rejected_users_are_counted_between_scrapes() -> None:
    instruments = Instruments(clock=FakeClock(), process=False, web_config_file=True)
    for form in (Format.TEXT, Format.OPENMETRICS):
        samples(instruments, WEB, form)
    instruments.web.tls_handshake_failed()
    for _ in range(2):
        instruments.web.authentication_failed()
    for form in (Format.TEXT, Format.OPENMETRICS):
        after = samples(instruments, WEB, form)
        assert after[f"{WEB}tls_handshake_failures_total"] == "1.0"
        assert after[f"{WEB}authentication_failures_total"] == "2.0"


async def test_without_a_web_configuration_file_its_metrics_are_absent() -> None:
    instruments = Instruments(clock=FakeClock(), process=False)
    instruments.web.authentication_failed()
    assert "confluent_cloud_exporter_web" not in instruments.process(Format.TEXT).decode()


async def test_each_organization_has_the_url_of_the_page_of_keys() -> None:
    instruments = Instruments(clock=FakeClock(), process=False, keys_url=URL)
    page = "confluent_cloud_keys_page_info"
    for name in ("globex", "acme"):
        instruments.of(name, endpoints=())
    assert list(samples(instruments, page)) == [
        f'{page}{{organization="acme",url="{URL}"}}',
        f'{page}{{organization="globex",url="{URL}"}}',
    ]
    instruments.forget("acme")
    assert list(samples(instruments, page)) == [f'{page}{{organization="globex",url="{URL}"}}']
    instruments.of("initech", endpoints=())
    assert samples(instruments, page) == {
        f'{page}{{organization="globex",url="{URL}"}}': "1.0",
        f'{page}{{organization="initech",url="{URL}"}}': "1.0",
    }


async def test_a_reload_adds_and_removes_organizations_on_the_page_of_keys() -> None:
    harness = Harness(5, names=("acme", "globex")).configured(keys_url=URL)

    def listed() -> set[str]:
        return {
            dict(labels)["organization"]
            for name, labels in harness.series()
            if name == "confluent_cloud_keys_page_info" and ("url", URL) in labels
        }

    assert listed() == {"acme", "globex"}
    after = configuration(names=("globex", "initech"), environ=harness.environ)
    await harness.exporter.reload(after)
    await harness.exporter.aclose()
    assert listed() == {"globex", "initech"}


async def test_without_the_page_of_keys_nothing_links_to_it() -> None:
    assert "keys_page" not in Harness(5).exposition()
