#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The map shows data exactly where data was written, also after trim; zeroes
# allocate nothing; trimming the whole disk gives all of its pages back.
. "${top_srcdir:?}/tests/plugin/functions.sh"
need nbdinfo libnbd-bin
need_libnbd

serve s "pool=$tmp/pool" size=1G
is "$(map_of s)" "0 1073741824 hole,zero" "map of a new disk"

"$python" - "$(uri s)" <<'PY'
import nbd, sys
h = nbd.NBD()
h.connect_uri(sys.argv[1])
h.pwrite(b"a" * 4096, 0)
h.pwrite(b"b" * 1, 8192 + 100)
h.pwrite(b"c" * 10000, 1 << 20)
h.pwrite(b"d" * 4096, (1 << 30) - 4096)
h.pwrite(b"e" * 2, (512 << 20) - 1)
h.pwrite(bytes(1 << 20), 100 << 20)
h.zero(1 << 20, 200 << 20)
PY
is "$(map_of s)" "0 4096 data
4096 4096 hole,zero
8192 4096 data
12288 1036288 hole,zero
1048576 12288 data
1060864 535805952 hole,zero
536866816 8192 data
536875008 536862720 hole,zero
1073737728 4096 data" "map after writing"
is "$(allocated s)" "32 KiB" "allocated after writing"
stop s KILL
serve s "pool=$tmp/pool"
is "$(allocated s)" "32 KiB" "allocated after a restart"

"$python" - "$(uri s)" <<'PY'
import nbd, sys
h = nbd.NBD()
h.add_meta_context(nbd.CONTEXT_BASE_ALLOCATION)
h.connect_uri(sys.argv[1])

def status(count, off, flags=0):
    out = []
    h.block_status(count, off, lambda ctx, o, entries, err: out.extend(entries), flags)
    return [(out[i], out[i + 1]) for i in range(0, len(out), 2)]

HOLE = nbd.STATE_HOLE | nbd.STATE_ZERO
# In the middle of extents, clipped at both ends.
assert status(100, 50) == [(100, 0)], status(100, 50)
assert status(4096, 4095) == [(1, 0), (4095, HOLE)], status(4096, 4095)
assert status(1, 8191) == [(1, HOLE)]
assert status(16384, 0, nbd.CMD_FLAG_REQ_ONE) == [(4096, 0)]
assert status(16384, 5000, nbd.CMD_FLAG_REQ_ONE) == [(8192 - 5000, HOLE)]
# Trim: whole pages go, a page that is trimmed in part stays, and reads so.
h.trim(4096, 0)
h.trim(8192, (1 << 20) + 1000)
assert status(1 << 20, 0)[0] == (8192, HOLE)
got = status(16384, 1 << 20)
assert got == [(4096, 0), (4096, HOLE), (4096, 0), (4096, HOLE)], got
assert h.pread(10000, 1 << 20) == b"c" * 1000 + bytes(8192) + b"c" * (10000 - 9192)
# Zeroes written over data give the pages back.
h.pwrite(bytes(16384), 1 << 20)
assert status(16384, 1 << 20) == [(16384, HOLE)]
h.zero(8192, (512 << 20) - 4096, nbd.CMD_FLAG_NO_HOLE)
assert status(1 << 20, 512 << 20) == [(1 << 20, HOLE)]
PY
is "$(allocated s)" "8 KiB" "allocated after trim and zero"

# More extents than one answer may have: the client asks again for the rest.
"$python" - "$(uri s)" <<'PY'
import nbd, sys
h = nbd.NBD()
h.add_meta_context(nbd.CONTEXT_BASE_ALLOCATION)
h.connect_uri(sys.argv[1])
h.pwrite((b"x" * 4096 + bytes(4096)) * 4096, 256 << 20)  # 8192 extents in 32 MiB
out = []
h.block_status(32 << 20, 256 << 20, lambda ctx, o, entries, err: out.extend(entries))
assert out[0::2] == [4096] * 8192 and out[1::2] == [0, 3] * 4096
h.trim(1 << 30, 0)
PY
is "$(map_of s)" "0 1073741824 hole,zero" "map of a trimmed disk"
is "$(allocated s)" "0 bytes" "allocated after trimming the whole disk"
