# SPDX-License-Identifier: BSD-3-Clause
"""nbdkit with random parameters of the plugin.

Each run ends with status 0, or with one error line and the pool byte for byte
as it was.  nbdkit runs a program that does nothing (--run true), with -r, or
with a parameter among the others that is refused: so that whatever it takes it
does not change the disks.
"""

import argparse
import contextlib
import hashlib
import os
import random
import re
import subprocess
import sys
import time

parser = argparse.ArgumentParser()
parser.add_argument("-n", type=int, default=10)
parser.add_argument("-s", type=int, default=time.time_ns() & 0xFFFFFFFF)
parser.add_argument("dir")
parser.add_argument("plugin")
parser.add_argument("environment", nargs="*")
args = parser.parse_args()
print(f"seed {args.s}", flush=True)
rng = random.Random(args.s)
pool = f"{args.dir}/pool"

SIZES = ["0", "1", "1M", "1m", "1048576", "2M", "3M", "16T", "17T", "16E", "-1", "+1", "", " ", "1G ", "0x10",
         "18446744073709551616", "1,2", "9" * 400, "\n", "1\n2", "%s%n", "\N{SNOWMAN}"]
NAMES = ["pram0", "pram1", "PRAM0", "", "a/b", "a@b", "a b", "a\nb", "%s", "x" * 63, "x" * 64, "\N{SNOWMAN}"]
WORDS = ["auto", "never", "Never", "", "yes", "\n", "force "]
FLAGS = ["yes", "no", "0", "ON", "", "2", "maybe", "no\n", "\x1b[2J", "y\r", "%s", "x" * 400, "\N{SNOWMAN}"]
NUMBERS = ["1", "2", "3", "0", "-1", "65536", "65537", "1x", "", "4294967298"]


def value(key):
    """A value for a key, as a rule of the right kind."""
    kinds = {
        "size": SIZES, "pool-size": SIZES, "low-space": SIZES, "disk": NAMES, "format": WORDS,
        "max-disks": NUMBERS, "degraded": FLAGS, "region": NAMES,
        "sizes": [",".join(rng.choice(SIZES[:7] if rng.random() < 0.7 else SIZES)
                           for _ in range(rng.choice([0, 1, 2, 2, 3, 300])))],
    }
    if key not in kinds or rng.random() < 0.1:
        return rng.choice(SIZES + NAMES + WORDS + NUMBERS)
    return rng.choice(kinds[key])


def digest():
    with open(pool, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest(), os.stat(pool).st_size


def run(number):
    read_only = rng.random() < 0.5
    keys = ["size", "sizes", "disk", "format", "max-disks", "low-space", "pool-size", "degraded", "region"]
    given = [f"pool={pool}"] if rng.random() < 0.95 else [f"pool={rng.choice(NAMES[3:])}"]
    given += [f"{key}={value(key)}" for key in rng.sample(keys, rng.randint(0, 3))]
    if rng.random() < 0.1:
        given.append(f"{rng.choice(['pool', 'x', 'POOL', 'pool_size'])}={rng.choice(NAMES)}")
    if not read_only:
        given.append("max-disks=refused")
    rng.shuffle(given)
    # A socket of its own: what "-U -" makes stays when nbdkit ends early.
    socket = os.path.join(args.dir, "socket")
    with contextlib.suppress(FileNotFoundError):
        os.remove(socket)
    command = ["env", *args.environment, "nbdkit", "-f", "-U", socket, *(["-r"] if read_only else []),
               args.plugin, *given, "--run", "true"]
    before = digest()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, cwd=args.dir, check=False)
    text = done.stderr.decode(errors="replace")
    # What a server that serves says to its log is an error by name only.
    errors = [line for line in text.splitlines() if re.match(r"nbdkit: (.*?: )?error: ", line)
              and "little room is left" not in line]
    wrong = None
    if done.returncode < 0 or done.returncode > 100:
        wrong = f"status {done.returncode}"
    elif done.returncode == 0 and (errors or not read_only):
        wrong = "taken, though there is an error" if errors else "taken, though max-disks=refused"
    elif done.returncode != 0 and len(errors) != 1:
        wrong = f"{len(errors)} errors"
    elif any(not line.startswith("nbdkit: ") for line in text.splitlines()):
        wrong = "more than one line"
    elif digest() != before:
        wrong = "the pool was changed"
    if wrong:
        sys.exit(f"run {number}: {wrong}: {command}\n{text}")
    return done.returncode == 0


taken = sum(run(i) for i in range(args.n))
print(f"nbdkit runs: {args.n}, {taken} of them served")
