"""The vendored files equal the locked ones, byte for byte."""

from tools import vendor


def test_every_vendored_file_is_the_one_in_the_lock() -> None:
    assert list(vendor.differences()) == []


def test_the_lock_names_no_registry() -> None:
    assert "://" not in vendor.LOCK.read_text()


def test_every_vendored_package_has_its_licence() -> None:
    for package in vendor.PACKAGES:
        assert (vendor.VENDOR / package.folder / "LICENSE").stat().st_size > 100
