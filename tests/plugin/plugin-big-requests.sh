#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Requests without data may be 4 GiB - 1 bytes long: block status, trim, zero
# and cache of that length work, and quickly, on a thin disk of 8 GiB.  One
# such block status aborts nbdkit 1.32 when the answer is longer than the
# request (CVE-2025-47711).
. "${top_srcdir:?}/tests/plugin/functions.sh"
need_libnbd

serve s "pool=$tmp/pool" size=8G pool-size=64M
"$python" - "$(uri s)" <<'PY'
import nbd, sys, time
h = nbd.NBD()
h.add_meta_context(nbd.CONTEXT_BASE_ALLOCATION)
h.connect_uri(sys.argv[1])
h.set_strict_mode(0)
size = h.get_size()
BIG = 0xffffffff
offs = [0, 4096, (1 << 32) - 4096, 1 << 32, (1 << 32) + 5000000, size - 4096]

def put():
    for off in offs:
        h.pwrite(b"x" * 4096, off)

def status(count, off, flags=0):
    out = []
    h.block_status(count, off, lambda ctx, o, entries, err: out.extend(entries), flags)
    return [(out[i], out[i + 1]) for i in range(0, len(out), 2)]

def quickly(f, *args):
    t = time.monotonic()
    r = f(*args)
    t = time.monotonic() - t
    assert t < 20, f"{f} took {t} s"
    return r

put()
got = quickly(status, BIG, 0)
assert got[0] == (8192, 0) and got[1] == ((1 << 32) - 4096 - 8192, 3), got
assert sum(n for n, _ in got) <= BIG, got
got = quickly(status, BIG, 8192)
assert got[0] == ((1 << 32) - 4096 - 8192, 3), got
assert sum(n for n, _ in got) <= BIG, got
# All a hole: the very case of the CVE, at the beginning and elsewhere.
quickly(h.trim, BIG, 0)
quickly(h.trim, BIG, size - BIG)
assert h.pread(8192, 0) == bytes(8192)
# The one byte between is of a page that was trimmed in part, twice.
quickly(h.trim, size - 2 * BIG, BIG)
for off in (0, 1, 4095, 1 << 31, size - BIG):
    got = quickly(status, BIG, off)
    assert sum(n for n, _ in got) <= BIG and all(f == 3 for _, f in got), (off, got)
    got = quickly(status, BIG, off, nbd.CMD_FLAG_REQ_ONE)
    assert len(got) == 1 and got[0][0] <= BIG, (off, got)
put()
quickly(h.zero, BIG, 0)
quickly(h.zero, BIG, 4096)
put()
quickly(h.cache, BIG, 0)
quickly(h.zero, BIG, size - BIG, nbd.CMD_FLAG_FAST_ZERO | nbd.CMD_FLAG_FUA)
assert h.pread(4096, 0) == b"x" * 4096
assert h.pread(4096, size - 4096) == bytes(4096)
# Reads and writes are up to 64 MiB; more is refused, and only that.
h.pwrite(b"y" * (33 << 20), 1)
assert h.pread(33 << 20, 1) == b"y" * (33 << 20)
try:
    h.pread((64 << 20) + 1, 0)
    sys.exit("a read of more than 64 MiB was served")
except nbd.Error:
    pass
assert h.pread(3, 0) == b"xyy"
PY
