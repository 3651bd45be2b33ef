"""Fails where a compiled translation (`.mo`) does not say what its source (`.po`) says."""

import gettext
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def catalog(path: Path) -> dict[object, str]:
    with path.open("rb") as file:
        return dict(vars(gettext.GNUTranslations(file))["_catalog"])


def stale(source: Path, folder: Path) -> str | None:
    """What is wrong with the compiled file beside `source`, if anything."""
    compiled, fresh = source.with_suffix(".mo"), folder / "fresh.mo"
    made = subprocess.run(
        ["msgfmt", "--check-format", "-o", fresh, source],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        return made.stderr
    if not compiled.exists() or catalog(fresh) != catalog(compiled):
        return f"{compiled.relative_to(ROOT)} is not up to date: make messages"
    return None


def main() -> int:
    sources = sorted(
        path for path in ROOT.glob("**/locale/*/LC_MESSAGES/*.po") if ".venv" not in path.parts
    )
    with tempfile.TemporaryDirectory() as folder:
        wrong = [found for source in sources if (found := stale(source, Path(folder)))]
    print("\n".join(wrong) or f"{len(sources)} translations are up to date.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
