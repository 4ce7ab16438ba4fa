"""Fetch aimock, an independent fake of the providers, or say that its tests are skipped."""

from tools.services import aimock


def main() -> None:
    try:
        aimock.install()
    except aimock.Missing as missing:
        print(missing)


if __name__ == "__main__":
    main()
