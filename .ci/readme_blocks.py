"""Do the README's own blocks still run? Each ```bash block is run as written, in order.

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


def main() -> int:
    blocks = list(BLOCK.finditer((ROOT / "README.md").read_text(encoding="utf-8")))
    if not blocks:
        print("the README has no bash block")
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
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
