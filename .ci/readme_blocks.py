"""Do the blocks of the README and of the pages in docs/ still run? Each ```bash block is run as written.

The blocks of a page are run in order in one shell, so that what one exports the next one has, with a home
of its own. A block behind the comment `<!-- not run: REASON -->` is left out, and its reason printed.
Pages may be named as arguments; default: all of them.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(
    r"(?:<!-- not run: (?P<reason>[^>]*) -->\s*)?```bash\n(?P<code>.*?)```", re.DOTALL
)


def pages() -> list[Path]:
    """The README, and every page of docs/ that has a bash block."""
    docs = sorted((ROOT / "docs").rglob("*.md"))
    return [
        ROOT / "README.md",
        *(page for page in docs if "```bash" in page.read_text(encoding="utf-8")),
    ]


def script(page: Path) -> str:
    """All blocks of a page that are run, each announced before and timed after."""
    lines = []
    for number, block in enumerate(BLOCK.finditer(page.read_text(encoding="utf-8")), start=1):
        name = f"{page.relative_to(ROOT)}, block {number}"
        if block["reason"]:
            lines.append(_says(f"{name}: not run: {block['reason']}"))
            continue
        lines += [_says(f"{name}:\n{block['code']}"), "SECONDS=0", block["code"]]
        lines.append(f'{_says(f"{name}: done after")}" $SECONDS s"')
    return "\n".join(lines)


def _says(text: str) -> str:
    return f"printf '%s\\n' {shlex.quote(text)}"


def main(named: list[str]) -> int:
    chosen = [Path(one).resolve() for one in named] or pages()
    for page in chosen:
        text = script(page)
        if not text:
            print(f"{page.name} has no bash block")
            return 1
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as aside:
            env = {**os.environ, "RATCHET_HOME": f"{aside}/home"}
            if page.parent != ROOT:
                env["HOME"] = aside  # what a page puts below ~ goes with it
            done = subprocess.run(["bash", "-euo", "pipefail", "-c", text], cwd=ROOT, env=env)
            _down(env)
        taken = time.monotonic() - began
        print(f"{page.name}: exit {done.returncode} after {taken:.0f} s", flush=True)
        if done.returncode:
            return 1
    return 0


def _down(env: dict[str, str]) -> None:
    """Nothing that a block started outlives its page."""
    subprocess.run([ROOT / ".venv" / "bin" / "ratchet", "down"], cwd=ROOT, env=env, check=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
