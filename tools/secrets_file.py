"""Write a settings file with random secrets, once. An existing file is never touched."""

import base64
import os
import secrets
import sys
from pathlib import Path

TEMPLATE = """\
# Made once with random secrets; git ignores this file. Keep a copy of it with your database:
# without MASTER_KEYS the provider keys stored there can't be opened any more.
SECRET_KEY={secret_key}
MASTER_KEYS=1:{master_key}
"""


def write(path: Path) -> None:
    """Create `path`, readable by its owner alone. An existing file stays unchanged."""
    master_key = base64.b64encode(secrets.token_bytes(32)).decode()
    text = TEMPLATE.format(secret_key=secrets.token_urlsafe(50), master_key=master_key)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    try:
        os.link(draft, path)  # fails if another run was first, so no process reads half a file
    except FileExistsError:
        pass
    finally:
        draft.unlink()


if __name__ == "__main__":
    write(Path(sys.argv[1]))
