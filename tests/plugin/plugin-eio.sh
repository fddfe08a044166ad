#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A byte of a page that changed behind the server's back is EIO for that page
# and for no other; writing the page anew, or trimming it, heals it.
. "${top_srcdir:?}/tests/plugin/functions.sh"
need_libnbd

serve s "pool=$tmp/pool" size=4M
"$python" -c '
import nbd, random, sys
h = nbd.NBD()
h.connect_uri(sys.argv[1])
h.pwrite(random.Random(3).randbytes(64 * 4096), 0)
' "$(uri s)"
stop s

# Flip one bit in each of the pages 5, 9 and 20, found by what they hold.
"$python" - "$tmp/pool" <<'PY'
import mmap, random, sys
data = random.Random(3).randbytes(64 * 4096)
with open(sys.argv[1], "r+b") as f:
    m = mmap.mmap(f.fileno(), 0)
    for page, at in ((5, 0), (9, 2000), (20, 4095)):
        off = m.find(data[page * 4096:page * 4096 + 4096])
        assert off >= 0, "page not found in the pool"
        m[off + at] ^= 1 << page % 8
    m.flush()
PY
serve s "pool=$tmp/pool"
"$python" - "$(uri s)" <<'PY'
import errno, nbd, random, sys
h = nbd.NBD()
h.connect_uri(sys.argv[1])
data = random.Random(3).randbytes(64 * 4096)
bad = {5, 9, 20}

def eio(f):
    try:
        f()
    except nbd.Error as e:
        assert e.errnum == errno.EIO, e
        return True
    return False

for page in range(64):
    off = page * 4096
    if page in bad:
        assert eio(lambda: h.pread(4096, off)), f"damaged page {page} was served"
        assert eio(lambda: h.pread(1, off + 17)), f"a byte of damaged page {page} was served"
        assert eio(lambda: h.cache(4096, off)), f"damaged page {page} was cached"
    else:
        assert h.pread(4096, off) == data[off:off + 4096], page
assert eio(lambda: h.pread(64 * 4096, 0)), "a read across damage was served"
# A part of a damaged page cannot be written: the rest is not known.
assert eio(lambda: h.pwrite(b"x" * 100, 5 * 4096)), "part of a damaged page was written"
assert eio(lambda: h.pread(4096, 5 * 4096))
# Healed by a whole write, by trim, by zero.
h.pwrite(b"n" * 4096, 5 * 4096)
h.trim(4096, 9 * 4096)
h.zero(4096, 20 * 4096)
want = bytearray(data)
want[5 * 4096:6 * 4096] = b"n" * 4096
want[9 * 4096:10 * 4096] = bytes(4096)
want[20 * 4096:21 * 4096] = bytes(4096)
assert h.pread(64 * 4096, 0) == want
PY
[ "$(grep -c 'data is damaged there' "$tmp/s.log")" -ge 1 ] || fail "the log does not name the damage"
[ "$(grep -c 'data is damaged there' "$tmp/s.log")" -le 5 ] || fail "the log is flooded"
grep -q 'pram0: read of 4096 bytes at 20480 failed' "$tmp/s.log" || fail "the log does not say where"
stop s KILL
serve s "pool=$tmp/pool"
"$python" -c '
import nbd, sys
h = nbd.NBD()
h.connect_uri(sys.argv[1])
h.pread(64 * 4096, 0)' "$(uri s)" || fail "not healed for good"
