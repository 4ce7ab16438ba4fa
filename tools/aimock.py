"""Fetch the second opinion on the providers' wires, or say plainly that it is left out."""

from tools.services import aimock


def main() -> None:
    try:
        aimock.install()
    except aimock.Missing as missing:
        print(missing)


if __name__ == "__main__":
    main()
