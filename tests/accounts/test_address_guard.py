"""Addresses that people give: which of them this server sends a request to."""

import pytest
from pytest_django import Settings

from accounts.outbound import address_guard
from accounts.outbound.addresses import Zone, classify_address
from accounts.outbound.errors import RefusedAddress

SENT, MALFORMED, FORBIDDEN = "sent", "malformed", "forbidden"
PRIVATE = "private"
"""Refused, unless private addresses are allowed."""
UNENCRYPTED = "unencrypted"

REASONS = {
    str(address_guard.MALFORMED): MALFORMED,
    str(address_guard.FORBIDDEN): FORBIDDEN,
    str(address_guard.PRIVATE): PRIVATE,
    str(address_guard.UNENCRYPTED): UNENCRYPTED,
}
NAMES = {
    "example.org": ["93.184.215.14"],
    "dual.example.org": ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"],
    "xn--mnchen-3ya.example": ["93.184.215.14"],
    "localhost": ["127.0.0.1", "::1"],
    "127.0.0.1.nip.io": ["127.0.0.1"],
    "169-254-169-254.nip.io": ["169.254.169.254"],
    "0.0.0.0.nip.io": ["0.0.0.0"],
    "mixed.example.org": ["93.184.215.14", "169.254.169.254"],
    "half-private.example.org": ["93.184.215.14", "10.0.0.8"],
    "keycloak": ["172.18.0.5"],
    "scoped.example.org": ["fe80::1%eth0"],
}

ADDRESSES = [
    # Ordinary ones
    ("https://example.org/.well-known/openid-configuration", SENT),
    ("https://dual.example.org:8443", SENT),
    ("HTTPS://EXAMPLE.ORG", SENT),
    ("https://example.org.", SENT),
    ("https://xn--mnchen-3ya.example/", SENT),
    ("https://93.184.215.14/", SENT),
    ("https://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]/", SENT),
    # Not encrypted
    ("http://example.org/", UNENCRYPTED),
    ("http://93.184.215.14/", UNENCRYPTED),
    ("http://half-private.example.org/", PRIVATE),
    # This machine and its network
    ("http://127.0.0.1:8000/", PRIVATE),
    ("https://127.0.0.1/", PRIVATE),
    ("http://localhost/", PRIVATE),
    ("http://LOCALHOST./", PRIVATE),
    ("http://[::1]/", PRIVATE),
    ("http://[::ffff:127.0.0.1]/", PRIVATE),
    ("http://[::ffff:7f00:1]/", PRIVATE),
    ("http://[0:0:0:0:0:ffff:127.0.0.1]/", PRIVATE),
    ("http://[::127.0.0.1]/", PRIVATE),
    ("http://[64:ff9b::10.0.0.1]/", PRIVATE),
    ("http://[2002:7f00:1::]/", PRIVATE),
    ("http://10.255.255.255/", PRIVATE),
    ("http://172.31.0.1/", PRIVATE),
    ("http://192.168.1.1/", PRIVATE),
    ("http://100.64.0.1/", PRIVATE),
    ("http://[fd12:3456::1]/", PRIVATE),
    ("http://127.0.0.1.nip.io/", PRIVATE),
    ("http://keycloak:8080/realms/chat", PRIVATE),
    # Never
    ("http://0.0.0.0/", FORBIDDEN),
    ("http://0.0.0.0.nip.io/", FORBIDDEN),
    ("http://[::]/", FORBIDDEN),
    ("http://[::ffff:0.0.0.0]/", FORBIDDEN),
    ("http://169.254.169.254/latest/meta-data/", FORBIDDEN),
    ("http://169.254.170.2/v2/credentials", FORBIDDEN),
    ("http://[::ffff:169.254.169.254]/", FORBIDDEN),
    ("http://[::ffff:a9fe:a9fe]/", FORBIDDEN),
    ("http://[64:ff9b::a9fe:a9fe]/", FORBIDDEN),
    ("http://[64:ff9b:1::a9fe:a9fe]/", FORBIDDEN),
    ("http://[2002:a9fe:a9fe::1]/", FORBIDDEN),
    ("http://[2001:0:a9fe:a9fe::f5fd:fffe]/", FORBIDDEN),
    ("http://[::ffff:0:a9fe:a9fe]/", FORBIDDEN),
    ("http://[fe80::1]/", FORBIDDEN),
    ("https://scoped.example.org/", FORBIDDEN),
    ("http://[fd00:ec2::254]/latest/meta-data/", FORBIDDEN),
    ("http://100.100.100.200/", FORBIDDEN),
    ("https://168.63.129.16/", FORBIDDEN),
    ("http://169-254-169-254.nip.io/", FORBIDDEN),
    ("https://mixed.example.org/", FORBIDDEN),
    ("http://metadata.google.internal/computeMetadata/v1/", FORBIDDEN),
    ("http://Metadata.Google.Internal./", FORBIDDEN),
    ("https://224.0.0.1/", FORBIDDEN),
    ("https://[ff02::1]/", FORBIDDEN),
    ("https://255.255.255.255/", FORBIDDEN),
    ("https://240.0.0.1/", FORBIDDEN),
    ("https://192.0.2.1/", FORBIDDEN),
    ("https://[2001:db8::1]/", FORBIDDEN),
    ("https://[3fff::1]/", FORBIDDEN),
    # Spellings that programs understand in different ways
    ("http://2130706433/", MALFORMED),
    ("http://0x7f000001/", MALFORMED),
    ("http://0x7f.0.0.1/", MALFORMED),
    ("http://0177.0.0.1/", MALFORMED),
    ("http://017700000001/", MALFORMED),
    ("http://127.1/", MALFORMED),
    ("http://0/", MALFORMED),
    ("http://127.0.0.1../", MALFORMED),
    ("http://127.0.0.256/", MALFORMED),
    ("http://①②⑦.⓪.⓪.①/", MALFORMED),
    ("http://１２７.０.０.１/", MALFORMED),
    ("http://127。0。0。1/", MALFORMED),
    ("http://loc\u212alhost/", MALFORMED),
    ("http\u017f://example.org/", MALFORMED),
    ("https://münchen.example/", MALFORMED),
    ("http://[fe80::1%25eth0]/", MALFORMED),
    ("http://[::1%25lo]/", MALFORMED),
    ("http://[::1].example.org/", MALFORMED),
    ("https://user:secret@example.org/", MALFORMED),
    ("https://example.org@127.0.0.1/", MALFORMED),
    ("https://example.org:443@169.254.169.254/", MALFORMED),
    ("https://example.org\\@127.0.0.1/", MALFORMED),
    ("https:\\\\127.0.0.1/", MALFORMED),
    ("https://127.0.0.1\\.example.org/", MALFORMED),
    ("https://example.org#@127.0.0.1/", MALFORMED),
    ("https://exa\tmple.org/", MALFORMED),
    ("https://example.org/\r\nHost: localhost", MALFORMED),
    ("https://example.org/\n", MALFORMED),
    (" https://example.org/", MALFORMED),
    ("https://example.org%00.localhost/", MALFORMED),
    ("https://%31%32%37.0.0.1/", MALFORMED),
    ("https://example..org/", MALFORMED),
    ("https://example.org:0/", MALFORMED),
    ("https://example.org:65536/", MALFORMED),
    ("https://example.org:４４３/", MALFORMED),
    ("https://example.org:-1/", MALFORMED),
    ("https:example.org", MALFORMED),
    ("https:///127.0.0.1/", MALFORMED),
    ("//example.org/", MALFORMED),
    ("example.org", MALFORMED),
    ("", MALFORMED),
    ("ftp://example.org/", MALFORMED),
    ("file:///etc/passwd", MALFORMED),
    ("gopher://127.0.0.1:6379/_FLUSHALL", MALFORMED),
    ("unix:///run/docker.sock", MALFORMED),
    ("jar:https://example.org!/", MALFORMED),
    (f"https://{'a' * 64}.example.org/", MALFORMED),
    (f"https://{'a.' * 130}org/", MALFORMED),
    (f"https://example.org/{'a' * 2000}", MALFORMED),
]


def judge(url: str) -> str:
    try:
        target = address_guard.parse_url(url)
        address_guard.check_addresses(target, NAMES.get(target.host, [target.host]))
    except RefusedAddress as refusal:
        return REASONS[str(refusal.message)]
    return SENT


@pytest.mark.parametrize(("url", "answer"), ADDRESSES)
def test_a_public_installation_calls_public_addresses_only(
    settings: Settings, url: str, answer: str
) -> None:
    settings.ALLOWED_HOSTS = ["chat.example.org"]
    assert judge(url) == answer


@pytest.mark.parametrize(("url", "answer"), ADDRESSES)
def test_private_addresses_are_called_where_they_are_allowed_and_reserved_ones_never(
    settings: Settings, url: str, answer: str
) -> None:
    settings.PRIVATE_ADDRESSES = "allow"
    expected = UNENCRYPTED if "half-private" in url else SENT
    assert judge(url) == (expected if answer == PRIVATE else answer)


@pytest.mark.parametrize(
    ("hosts", "origins", "choice", "answer"),
    [
        (["localhost", "127.0.0.1"], [], "", SENT),
        (["localhost"], ["http://[::1]:8000"], "", SENT),
        (["localhost"], ["https://chat.example.org"], "", PRIVATE),
        (["localhost", "chat.example.org"], [], "", PRIVATE),
        (["localhost", "192.168.1.20"], [], "", PRIVATE),
        (["chat.example.org"], [], "allow", SENT),
        (["localhost"], [], "refuse", PRIVATE),
    ],
)
def test_private_addresses_are_allowed_on_an_installation_for_this_machine_or_by_setting(
    settings: Settings, hosts: list[str], origins: list[str], choice: str, answer: str
) -> None:
    settings.ALLOWED_HOSTS, settings.TRUSTED_ORIGINS = hosts, origins
    settings.PRIVATE_ADDRESSES = choice
    assert judge("http://127.0.0.1/") == answer


@pytest.mark.parametrize(
    "text", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"]
)
def test_addresses_of_the_internet_are_public(text: str) -> None:
    assert classify_address(text) is Zone.PUBLIC


@pytest.mark.parametrize(
    "text", ["1:2::3", "4000::1", "100::1", "192.0.0.192", "fec0::1", "2001::"]
)
def test_addresses_that_nobody_assigned_are_forbidden(text: str) -> None:
    assert classify_address(text) is Zone.FORBIDDEN
