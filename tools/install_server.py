"""Install a server or client that is tested in an environment of its own, such as `litellm`, or say
that its tests are skipped."""

import sys

from tools.services import (
    ai_sdk,
    gateway_clients,
    litellm,
    llama,
    llm_comply,
    node,
    run_clients,
    schemathesis,
)
from tools.services.python_environment import Missing

INSTALLERS = {
    "ai-sdk": ai_sdk.install,
    "gateway": gateway_clients.install,
    "litellm": litellm.ENVIRONMENT.install,
    "llama": llama.install,
    "llm-comply": llm_comply.ENVIRONMENT.install,
    "runs": run_clients.install,
    "schemathesis": schemathesis.ENVIRONMENT.install,
}


def main(name: str) -> None:
    try:
        INSTALLERS[name]()
    except (Missing, node.Missing) as missing:
        print(missing)


if __name__ == "__main__":
    main(sys.argv[1])
