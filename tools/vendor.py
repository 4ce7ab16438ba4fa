"""Vendor the front end's third-party files from npm, pinned and checked.

    python tools/vendor.py            fetch what the lock pins and write it again
    python tools/vendor.py --update   take the versions named here and write a new lock
    python tools/vendor.py --check    offline: every vendored file is the one in the lock

The lock records each package's version, its licence, npm's integrity of the tarball, and the
SHA-384 of each file kept. It names no registry: that is the installer's business.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

STATIC = Path(__file__).resolve().parent.parent / "static"
VENDOR = STATIC / "vendor"
ICONS = STATIC / "icons"
LOCK = VENDOR / "vendor.lock.json"

LANGUAGES = """
    bash c cpp csharp css diff dockerfile go ini java javascript json kotlin
    php python ruby rust sql swift typescript xml yaml
"""

ICON_NAMES = """
    arrow-up chevron-down chevron-left chevron-right circle-alert copy log-out menu monitor moon
    more-horizontal pencil pin plus refresh-cw settings sun trash x
"""

SUBSETS = ("latin", "latin-ext", "cyrillic", "greek", "vietnamese")

# Metric-matched fallbacks while a font loads, so that nothing shifts: size-adjust was measured by
# setting the same English text in both fonts, and the other values are the font's own metrics
# divided by it.
FALLBACKS = """
/* Stand-ins with the same metrics, so that nothing moves when the font arrives. */
@font-face {
  font-family: "Source Serif 4 Fallback";
  src: local("Times New Roman"), local("Liberation Serif"), local("Tinos");
  size-adjust: 117.3%;
  ascent-override: 88.3%;
  descent-override: 28.6%;
  line-gap-override: 0%;
}
@font-face {
  font-family: "Inter Fallback";
  src: local("Arial"), local("Liberation Sans"), local("Arimo");
  size-adjust: 106.9%;
  ascent-override: 90.6%;
  descent-override: 22.5%;
  line-gap-override: 0%;
}
@font-face {
  font-family: "JetBrains Mono Fallback";
  src: local("Courier New"), local("Liberation Mono"), local("Cousine");
  size-adjust: 100%;
  ascent-override: 102%;
  descent-override: 30%;
  line-gap-override: 0%;
}
"""


@dataclass(frozen=True, slots=True)
class Package:
    """One npm package and the files that are vendored: path in the package → path under
    static/vendor."""

    name: str
    version: str
    folder: str
    files: dict[str, str] = field(default_factory=dict)
    faces: tuple[tuple[str, str], ...] = ()


def font(name: str, version: str, *, italic: tuple[str, ...]) -> Package:
    family = name.rpartition("/")[2]
    faces = tuple((subset, "normal") for subset in SUBSETS)
    faces += tuple((subset, "italic") for subset in italic)
    files = {
        f"files/{family}-{subset}-wght-{style}.woff2": f"{family}-{subset}-{style}.woff2"
        for subset, style in faces
    }
    return Package(name, version, f"fonts/{family}", files, faces)


PACKAGES = (
    Package("htmx.org", "4.0.1", "htmx", {"dist/htmx.min.js": "htmx.min.js"}),
    Package("marked", "18.2.1", "marked", {"lib/marked.esm.js": "marked.esm.js"}),
    Package(
        "@highlightjs/cdn-assets",
        "11.12.0",
        "highlight",
        {"es/core.min.js": "core.min.js"}
        | {f"es/languages/{name}.min.js": f"{name}.min.js" for name in LANGUAGES.split()},
    ),
    Package("katex", "0.19.1", "katex", {"dist/katex.min.js": "katex.min.js"}),
    font("@fontsource-variable/source-serif-4", "5.3.1", italic=("latin", "latin-ext", "cyrillic")),
    font("@fontsource-variable/inter", "5.3.0", italic=("latin",)),
    font("@fontsource-variable/jetbrains-mono", "5.3.0", italic=("latin",)),
    Package("lucide-static", "1.62.0", "lucide"),
)


def main() -> int:
    parser = argparse.ArgumentParser(description="Vendor the front end's third-party files.")
    parser.add_argument("--update", action="store_true", help="write a new lock")
    parser.add_argument("--check", action="store_true", help="offline: compare files with the lock")
    options = parser.parse_args()
    if options.check:
        problems = list(differences())
        print("\n".join(problems) or f"{len(read_lock()['files'])} vendored files are as locked.")
        return 1 if problems else 0
    fetch(update=options.update)
    return 0


def read_lock() -> dict[str, dict[str, str | dict[str, str]]]:
    lock: dict[str, dict[str, str | dict[str, str]]] = json.loads(LOCK.read_text())
    return lock


def differences() -> Iterator[str]:
    """Yield the differences between the disk and the lock, one sentence each. Needs no network."""
    locked = read_lock()["files"]
    present = {str(path.relative_to(STATIC)) for path in vendored_files()}
    for name in sorted(locked.keys() | present):
        if name not in present:
            yield f"static/{name} is missing."
        elif name not in locked:
            yield f"static/{name} is not in the lock."
        elif sha384(STATIC / name) != locked[name]:
            yield f"static/{name} was changed."


def vendored_files() -> Iterator[Path]:
    yield from (path for path in sorted(VENDOR.rglob("*")) if path.is_file() and path != LOCK)
    yield ICONS / "icons.svg"


def fetch(*, update: bool) -> None:
    """Write every vendored file. Raises SystemExit if npm returns other bytes than the lock."""
    locked = {} if update else read_lock()["packages"]
    packages = {}
    faces: list[str] = []
    for package in PACKAGES:
        with tempfile.TemporaryDirectory() as folder:
            tarball = npm_pack(package, Path(folder))
            integrity = f"sha512-{digest('sha512', tarball)}"
            known = locked.get(package.name)
            if isinstance(known, dict) and known["integrity"] != integrity:
                raise SystemExit(f"{package.name} {package.version} is not what the lock pins.")
            with tarfile.open(tarball) as archive:
                archive.extractall(folder, filter="data")
            source = Path(folder) / "package"
            keep(package, source)
            faces += font_faces(package, source)
            licence = json.loads((source / "package.json").read_text())["license"]
        packages[package.name] = {
            "version": package.version,
            "integrity": integrity,
            "licence": licence,
            "folder": package.folder,
        }
    (VENDOR / "fonts" / "fonts.css").write_text("\n".join(faces) + FALLBACKS)
    files = {str(path.relative_to(STATIC)): sha384(path) for path in vendored_files()}
    LOCK.write_text(json.dumps({"packages": packages, "files": files}, indent=2) + "\n")
    print(f"{len(files)} files of {len(packages)} packages.")


def npm_pack(package: Package, folder: Path) -> Path:
    """Let npm fetch and verify the tarball; the registry is the one that npm is configured for."""
    name = f"{package.name}@{package.version}"
    subprocess.run(["npm", "pack", "--silent", name], cwd=folder, check=True, capture_output=True)
    return next(folder.glob("*.tgz"))


def keep(package: Package, source: Path) -> None:
    target = VENDOR / package.folder
    target.mkdir(parents=True, exist_ok=True)
    for old in target.iterdir():
        old.unlink()
    (target / "LICENSE").write_bytes((source / "LICENSE").read_bytes())
    for origin, name in package.files.items():
        content = (source / origin).read_bytes()
        if name.endswith(".js"):
            # The hashed storage follows this reference and would fail, because we do not vendor the
            # map.
            content = re.sub(rb"\n//# sourceMappingURL=.*\s*$", b"\n", content)
        (target / name).write_bytes(content)
    if package.name == "lucide-static":
        write_sprite(source / "icons", package.version)


def font_faces(package: Package, source: Path) -> Iterator[str]:
    """One @font-face a subset, latin last: if two contain a character, the later one is used."""
    if not package.faces:
        return
    family = package.name.rpartition("/")[2]
    ranges = json.loads((source / "unicode.json").read_text())
    metadata = json.loads((source / "metadata.json").read_text())
    weights = metadata["variable"]["wght"]
    for subset, style in reversed(package.faces):
        yield (
            "@font-face {\n"
            f'  font-family: "{metadata["family"]} Variable";\n'
            f"  font-style: {style};\n"
            "  font-display: swap;\n"
            f"  font-weight: {weights['min']} {weights['max']};\n"
            f'  src: url("{family}/{family}-{subset}-{style}.woff2") format("woff2");\n'
            f"  unicode-range: {ranges[subset]};\n"
            "}"
        )


def write_sprite(icons: Path, version: str) -> None:
    """Return one file of <symbol>s, for use as <svg class="icon"><use
    href="…icons.svg#copy"/></svg>.

    Colour and size come from the element that uses it; the stroke is ours (1.75).
    """
    symbols = [symbol(name, (icons / f"{name}.svg").read_text()) for name in ICON_NAMES.split()]
    (ICONS / "icons.svg").write_text(
        f"<!-- lucide {version}, ISC (static/vendor/lucide/LICENSE) -->\n"
        '<svg xmlns="http://www.w3.org/2000/svg">\n' + "\n".join(symbols) + "\n</svg>\n"
    )


def symbol(name: str, svg: str) -> str:
    body = re.search(r"<svg[^>]*>(.*)</svg>", svg, re.DOTALL)
    assert body
    shapes = "".join(line.strip() for line in body.group(1).splitlines())
    return (
        f'<symbol id="{name}" viewBox="0 0 24 24" fill="none" stroke="currentColor"'
        f' stroke-width="1.75" stroke-linecap="round" stroke-linejoin="round">{shapes}</symbol>'
    )


def sha384(path: Path) -> str:
    return f"sha384-{digest('sha384', path)}"


def digest(algorithm: str, path: Path) -> str:
    return base64.b64encode(hashlib.new(algorithm, path.read_bytes()).digest()).decode()


if __name__ == "__main__":
    sys.exit(main())
