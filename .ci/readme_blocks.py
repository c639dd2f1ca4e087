"""Do the blocks of the README and of docs/operations.md still run? Each ```bash block is run as written, in
order, each page with a home of its own.

A block behind the comment `<!-- not run: REASON -->` is left out, and its reason printed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(
    r"(?:<!-- not run: (?P<reason>[^>]*) -->\s*)?```bash\n(?P<code>.*?)```", re.DOTALL
)


PAGES = ("README.md", "docs/operations.md")


def main() -> int:
    return max(run_blocks(page) for page in PAGES)


def run_blocks(page: str) -> int:
    """1 where a block of the page failed, or there is none."""
    print(f"{page}:")
    blocks = list(BLOCK.finditer((ROOT / page).read_text(encoding="utf-8")))
    if not blocks:
        print("it has no bash block")
        return 1
    with tempfile.TemporaryDirectory() as home:
        env = {**os.environ, "RATCHET_HOME": home}
        for number, block in enumerate(blocks, start=1):
            if block["reason"]:
                print(f"block {number}: not run: {block['reason']}")
                continue
            began = time.monotonic()
            print(f"block {number}:\n{block['code']}", flush=True)
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", block["code"]], cwd=ROOT, env=env
            )
            print(
                f"block {number}: exit {done.returncode} after {time.monotonic() - began:.0f} s",
                flush=True,
            )
            if done.returncode:
                _down(env)
                return 1
        _down(env)
    return 0


def _down(env: dict[str, str]) -> None:
    """Nothing that a block started outlives its page."""
    subprocess.run([ROOT / ".venv" / "bin" / "ratchet", "down"], cwd=ROOT, env=env, check=False)


if __name__ == "__main__":
    sys.exit(main())
