"""Where the links of mails lead, whatever a request says of itself."""

from __future__ import annotations

import re
from functools import partial
from urllib.parse import urlsplit

from tools.deployment.deployment import Deployment
from tools.waiting import until

LINK = re.compile(r"\S*/password/reset/key/\S+")
DAPHNES_PREFIX = "Daphne-Root-Path"  # Daphne itself would take it from anybody


def is_mailed(deployment: Deployment, count: int) -> bool:
    return len(LINK.findall(deployment.logs(1000))) >= count


def test_no_header_leads_the_link_of_a_mail_elsewhere() -> None:
    with Deployment("embedded") as deployment:
        ours = urlsplit(deployment.base_url)
        lies = [
            {DAPHNES_PREFIX: "@evil.test"},
            {DAPHNES_PREFIX: ".evil.test"},
            {DAPHNES_PREFIX: "//evil.test"},
            {"X-Forwarded-Host": "evil.test", "X-Forwarded-Prefix": "@evil.test"},
            {"Forwarded": "host=evil.test", "Script-Name": "@evil.test"},
        ]
        for number, headers in enumerate(lies, start=1):
            person = deployment.person(f"person-{number}")
            person.http.cookies.clear()
            form = {"email": person.email}
            person.post("/accounts/password/reset/", form, headers=headers)
            mailed = partial(is_mailed, deployment, number)
            until(mailed, what="the mail is printed")
            links = LINK.findall(deployment.logs(1000))
            assert {urlsplit(link).netloc for link in links} == {ours.netloc}, headers
