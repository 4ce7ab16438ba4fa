"""Posts with malformed fields and bodies. Each depends on its seed and number alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from urllib.parse import quote
from uuid import UUID

from tests.fuzz import nasty
from tests.fuzz.people import PASSWORD, STAFF_ROLES
from tests.fuzz.post_routes import COMMON_FIELDS, Route
from tests.fuzz.sending import RawRequest

TOKEN = "t" * 32
URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=b"
WRONG_TYPES = (
    "", "text/plain", "application/json", "application/xml", "image/png", "multipart/form-data",
    "multipart/form-data; boundary=", "multipart/form-data; boundary=\xe9", "multipart/mixed",
    "multipart/form-data; boundary=" + "b" * 500, f"{MULTIPART}; charset=utf-7",
    f"{URLENCODED}; charset=utf-16", f"{URLENCODED}; charset=\xff", f"{URLENCODED}, {MULTIPART}",
    "a" * 5_000, ";;;", "application/x-www-form-urlencoded\x0b",
)  # fmt: skip
VALID_VALUES: Mapping[str, Sequence[str]] = {
    "text": ("Why do tides lag the moon?", "- a\n" * 500, "x" * 30_000),
    "model": ("demo", "demo-fast", "demo-slow", "gpt-4o-mini"),
    "email": ("a@fuzz.test", "b@fuzz.test", "person@holdfast.test"),
    "login": ("person@holdfast.test", "nobody@fuzz.test"),
    "username": ("person@holdfast.test", "a@fuzz.test"),
    "password": (PASSWORD, "wrong"),
    "password1": (PASSWORD, "kelp-holds-fast-8"),
    "password2": (PASSWORD, "kelp-holds-fast-8"),
    "new_password1": (PASSWORD,),
    "new_password2": (PASSWORD,),
    "oldpassword": (PASSWORD,),
    "old_password": (PASSWORD,),
    "key": ("sk-fuzz-0123456789abcdef",),
    "title": ("Tides",),
    "pinned": ("yes", "no"),
    "theme": ("dark", "light"),
    "type": ("serif", "sans"),
    "next": ("/", "/settings/keys/"),
    "max_tokens": ("100", "4096"),
    "temperature": ("0.5", "1"),
    "action": ("delete_selected", ""),
    "post": ("yes",),
    "index": ("0",),
    "form-TOTAL_FORMS": ("0", "1"),
    "form-INITIAL_FORMS": ("0", "1"),
    "base": ("0", "1"),
    "version": ("1", "2"),
}
NAMES_OF_IDS = {"parent", "seen", "open", "conversation", "draft", "_selected_action", "form-0-id"}
NAMES_OF_UUIDS = {"request_id", "writer"}
FLOOD_FIELDS = (999, 1_001, 5_000)

Pairs = list[tuple[str, str]]


class FormInputs:
    """Builds the inputs of one seed. `ids` are values for the variable parts of addresses, by the
    role that owns them."""

    def __init__(
        self,
        seed: int,
        routes: Sequence[tuple[Route, tuple[str, ...]]],
        sessions: Mapping[str, str],
        ids: Mapping[str, Mapping[str, Sequence[str]]],
    ) -> None:
        self.seed, self.routes, self.sessions, self.ids = seed, routes, sessions, ids

    def build(self, number: int) -> tuple[str, RawRequest]:
        """Return the role that sends the request, and the request."""
        random = Random(f"{self.seed} {number}")
        route, names = self.routes[number % len(self.routes)]
        roles = STAFF_ROLES if "/admin/" in route.template else ("person", "person")
        role = random.choice((*roles * 3, "person", "administrator", "anonymous"))
        path = self._build_path(random, route, role)
        body, kind = self._build_body(random, names, role)
        return role, self._build_request(random, path, role, body, kind)

    def _build_path(self, random: Random, route: Route, role: str) -> str:
        parts = {name: self._pick_part(random, name, role) for name in route.names}
        path = route.template % parts if parts else route.template
        return path + random.choice((*("",) * 30, "?a=%00", "?next=//evil.example", "?%ff"))

    def _pick_part(self, random: Random, name: str, role: str) -> str:
        owner = self._pick_owner(random, role)
        if (values := self.ids[owner].get(name)) and random.random() < 0.85:
            return random.choice(values)
        if random.random() < 0.5:
            return str(UUID(int=random.getrandbits(128)))
        return nasty.quote_or_spoil(random, nasty.pick_word(random)) or "x"

    def _pick_owner(self, random: Random, role: str) -> str:
        if role in self.ids and random.random() < 0.7:
            return role
        return random.choice([*self.ids])

    # Fields

    def _build_body(self, random: Random, names: Sequence[str], role: str) -> tuple[bytes, str]:
        if random.random() < 0.04:
            return nasty.pick_octets(random) * 50, random.choice((URLENCODED, MULTIPART))
        pairs = self._build_pairs(random, names, role)
        if random.random() < 0.3:
            body, kind = encode_multipart(random, pairs), MULTIPART
        else:
            body, kind = encode_pairs(random, pairs), URLENCODED
        if random.random() < 0.05:
            body = body[: random.randrange(len(body) + 1)]
        if random.random() < 0.06:
            kind = random.choice(WRONG_TYPES)
        return body, kind

    def _build_pairs(self, random: Random, names: Sequence[str], role: str) -> Pairs:
        pairs = [
            (name, self._pick_value(random, name, role)) for name in names if random.random() < 0.93
        ]
        for _ in range(random.choice((0, 1, 1, 2, 4)) if pairs else 0):
            index = random.randrange(len(pairs))
            pairs[index] = (pairs[index][0], nasty.pick_word(random))
        if random.random() < 0.1 and pairs:
            pairs += random.choices(pairs, k=3)  # the same fields again
        if random.random() < 0.15:
            pairs.append((random.choice(COMMON_FIELDS), nasty.pick_word(random)))
        if random.random() < 0.1:
            pairs.append((nasty.pick_word(random), nasty.pick_word(random)))
        if random.random() < 0.005:
            pairs += [(f"f{n}", "") for n in range(random.choice(FLOOD_FIELDS))]
        random.shuffle(pairs)
        return pairs

    def _pick_value(self, random: Random, name: str, role: str) -> str:
        if name in NAMES_OF_UUIDS:
            return str(UUID(int=random.getrandbits(128), version=4))
        if name in NAMES_OF_IDS:
            owner = (
                role if role in self.ids and random.random() < 0.6 else random.choice([*self.ids])
            )
            return random.choice(self.ids[owner]["id"])
        if name in VALID_VALUES:
            return random.choice(VALID_VALUES[name])
        return nasty.pick_word(random) if random.random() < 0.5 else ""

    # Headers

    def _build_request(
        self, random: Random, path: str, role: str, body: bytes, kind: str
    ) -> RawRequest:
        cookie = f"csrftoken={TOKEN}; sessionid={self.sessions[role]}"
        headers = {
            b"host": b"127.0.0.1:8000",
            b"cookie": cookie.encode(),
            b"x-csrftoken": TOKEN.encode(),
            b"content-type": kind.encode("latin-1"),
            b"content-length": str(len(body)).encode(),
        }
        if random.random() < 0.4:
            headers[b"hx-request"] = b"true"
        if random.random() < 0.03:
            headers[random.choice((b"hx-current-url", b"referer", b"content-encoding"))] = (
                nasty.build_header(random)
            )
        if random.random() < 0.02:
            headers[b"content-length"] = random.choice((b"0", b"1", b"99999", b"x", b"-1"))
        address = f"10.{random.getrandbits(8)}.{random.getrandbits(8)}.7"
        return RawRequest("POST", path, [*headers.items()], body, address)


def encode_pairs(random: Random, pairs: Pairs) -> bytes:
    return "&".join(
        f"{quote(name, errors='surrogatepass')}={nasty.quote_or_spoil(random, value)}"
        if random.random() < 0.95
        else quote(name, errors="surrogatepass")
        for name, value in pairs
    ).encode()


def encode_multipart(random: Random, pairs: Pairs) -> bytes:
    """Encode the fields as multipart/form-data, sometimes malformed."""
    parts = []
    for name, value in pairs:
        extra = random.choice(
            (*("",) * 8, "; filename=x", '; filename="\0"', "; filename*=utf-8''%00")
        )
        coding = random.choice((*("",) * 12, "Content-Transfer-Encoding: base64\r\n"))
        header = f'Content-Disposition: form-data; name="{name}"{extra}\r\n{coding}'
        parts.append(f"--b\r\n{header}\r\n{value}\r\n")
    end = random.choice((*("--b--\r\n",) * 6, "--b\r\n", "", "--c--\r\n"))
    return ("".join(parts) + end).encode(errors="surrogatepass")
