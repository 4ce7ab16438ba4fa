"""Install a server that is tested in an environment of its own, `litellm` or `llama`, or say that
its tests are skipped."""

import sys

from tools.services import litellm, llama
from tools.services.python_environment import Missing

INSTALLERS = {"litellm": litellm.ENVIRONMENT.install, "llama": llama.install}


def main(name: str) -> None:
    try:
        INSTALLERS[name]()
    except Missing as missing:
        print(missing)


if __name__ == "__main__":
    main(sys.argv[1])
