from __future__ import annotations

import pytest

from exporter.cli import arguments


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://keys.example.com", "https://keys.example.com"),
        ("https://example.com/keys-exporter/", "https://example.com/keys-exporter"),
        ("http://exporter:10049/", "http://exporter:10049"),
        ("http://[2001:db8::1]:10049", "http://[2001:db8::1]:10049"),
    ],
)
def test_the_external_url_may_be_http_and_have_a_path(url: str, expected: str) -> None:
    for command in ("run", "demo"):
        options = arguments.parse([command, f"--web.external-url={url}"])
        assert options.web_external_url == expected


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("keys.example.com", "the URL does not start with `https://`; expected a URL such as"),
        ("ftp://keys.example.com", "the URL does not start with `https://`"),
        ("javascript:alert(1)", "the URL does not start with `https://`"),
        ("https://joe:hush@example.com", "the URL contains a user or password; everyone could"),
        ("https://example.com/?a=b", "the URL has a query or fragment"),
        ("https://example.com/#a", "the URL has a query or fragment"),
        ("https://", "the URL has no valid host or port"),
        ("https://example.com:0", "the URL has no valid host or port"),
        ('https://example.com/"onclick=', "the URL has characters that are not allowed"),
        ("https://example.com/\x1b[31m", "the URL has characters that are not allowed"),
    ],
)
def test_other_external_urls_are_wrong_usage(
    url: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        arguments.parse([f"--web.external-url={url}"])
    assert exit_.value.code == 2
    output = capsys.readouterr().err
    assert f"argument --web.external-url: {message}" in output
    assert "hush" not in output


def test_probe_addresses_are_repeatable_and_checked(capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--web.probe-listen-address=:8081", "--web.probe-listen-address=[::1]:8081"]
    assert arguments.parse(flags).web_probe_addresses == [":8081", "[::1]:8081"]
    assert arguments.parse(["demo"]).web_probe_addresses == []
    with pytest.raises(SystemExit):
        arguments.parse(["--web.probe-listen-address=8081"])
    assert "'8081' is not an address" in capsys.readouterr().err
