#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A full pool is ENOSPC for what needs more room, and nothing else: overwriting,
# zeroing and trimming go on, and what is given back can be used again.
. "${top_srcdir:?}/tests/plugin/functions.sh"
need nbdinfo libnbd-bin
need_libnbd

serve s "pool=$tmp/pool" pool-size=16M sizes=64M,1M
"$python" - "$(uri s)" "$(uri s pram1)" <<'PY'
import errno, nbd, random, sys
h, other = nbd.NBD(), nbd.NBD()
h.connect_uri(sys.argv[1])
other.connect_uri(sys.argv[2])
r = random.Random(7)
MIB = 1 << 20

def fill(start):
    """Write pages until there is no room; the pages that are there."""
    there = []
    for off in range(start, 64 * MIB, 4096):
        data = off.to_bytes(8, "little") * 512 if off else b"first!!!" * 512
        try:
            h.pwrite(data, off)
        except nbd.Error as e:
            assert e.errnum == errno.ENOSPC, e
            return there
        there.append((off, data))
    sys.exit("64 MiB fit into a pool of 16 MiB")

there = fill(0)
print(len(there) * 4 // 1024, "MiB of 16 MiB")
assert len(there) * 4096 > 12 * MIB, "much of the pool is not used"
# A big one fails as well, and does not take the server along.
try:
    h.pwrite(b"x" * (8 * MIB), 50 * MIB)
    sys.exit("8 MiB fit into a full pool")
except nbd.Error as e:
    assert e.errnum == errno.ENOSPC, e
try:
    other.pwrite(b"x" * 4096, 0)
    sys.exit("another disk has room")
except nbd.Error as e:
    assert e.errnum == errno.ENOSPC, e

# Overwriting always works: whole pages, parts, several times over.
for _ in range(3):
    for i in range(len(there)):
        off, _old = there[i]
        data = r.randbytes(4096)
        if i % 5 == 0:
            h.pwrite(data[:100], off + 7)
            data = _old[:7] + data[:100] + _old[107:]
        else:
            h.pwrite(data, off)
        there[i] = (off, data)
h.flush()
for off, data in there:
    assert h.pread(4096, off) == data, off

# What was not written still reads as zeroes.
assert h.pread(4096, there[-1][0] + 8192) == bytes(4096)

# Trim gives room, to another disk too; zeroing works in a full pool.
h.trim(2 * MIB, 0)
other.pwrite(b"y" * MIB, 0)
assert other.pread(MIB, 0) == b"y" * MIB
h.zero(5000, 3 * MIB + 1)
assert h.pread(5000, 3 * MIB + 1) == bytes(5000)
h.trim(64 * MIB, 0)
assert len(fill(0)) * 4096 > 11 * MIB, "room was lost"
PY
grep -q 'pram0: write of .* failed: the pool is full' "$tmp/s.log" || fail "the log does not say that the pool is full"
[ "$(grep -c 'the pool is full' "$tmp/s.log")" -le 20 ] || fail "the log is flooded"

# Full as it is, it opens again, and holds what was acknowledged.
stop s KILL
serve s "pool=$tmp/pool"
"$python" - "$(uri s)" <<'PY'
import nbd, sys
h = nbd.NBD()
h.connect_uri(sys.argv[1])
assert h.pread(4096, 8192) == (8192).to_bytes(8, "little") * 512
h.pwrite(b"z" * 4096, 8192)
h.trim(64 << 20, 0)
PY
is "$(allocated s)" "0 bytes" "allocated after trimming the whole disk"
stop s

# A pool of the default size holds all that its disks can hold.
serve s "pool=$tmp/pool2" sizes=20M,3M
"$python" - "$(uri s pram0)" "$(uri s pram1)" <<'PY'
import nbd, sys
for uri in sys.argv[1:]:
    h = nbd.NBD()
    h.connect_uri(uri)
    size = h.get_size()
    for _ in range(2):
        for off in range(0, size, 1 << 20):
            h.pwrite(b"f" * (1 << 20), off)
PY
