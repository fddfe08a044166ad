#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Zero, fast zero and trim at any offset and length, with and without FUA and
# NO_HOLE: what they cover reads as zeroes, what they do not is untouched.
. "${top_srcdir:?}/tests/plugin/functions.sh"
need_libnbd

serve s "pool=$tmp/pool" size=10000001
"$python" - "$(uri s)" <<'PY'
import nbd, sys
h = nbd.NBD()
h.connect_uri(sys.argv[1])
size = h.get_size()
assert size == 10000001
model = bytearray(b"\xa5" * size)
h.pwrite(bytes(model), 0)
calls = [
    ("zero", 0), ("zero", nbd.CMD_FLAG_FUA), ("zero", nbd.CMD_FLAG_NO_HOLE), ("zero", nbd.CMD_FLAG_FAST_ZERO),
    ("zero", nbd.CMD_FLAG_FAST_ZERO | nbd.CMD_FLAG_NO_HOLE | nbd.CMD_FLAG_FUA), ("trim", 0), ("trim", nbd.CMD_FLAG_FUA),
]
off = 0
for edge in (0, 1, 511, 2048, 4095):
    for length in (1, 2, 4094, 4095, 4096, 4097, 8191, 8192, 12289):
        for name, flags in calls:
            off = off // 4096 * 4096 + 4096 * 4 + edge
            if off + length > size:
                off = edge
            getattr(h, name)(length, off, flags)
            model[off:off + length] = bytes(length)
            # Around it too.
            a, b = max(0, off - 5000), min(size, off + length + 5000)
            assert h.pread(b - a, a) == model[a:b], (name, flags, off, length)
assert h.pread(size, 0) == model
# The last, partial page, and the whole.
h.trim(1, size - 1)
model[size - 1:] = bytes(1)
assert h.pread(5000, size - 5000) == model[size - 5000:]
h.zero(size, 0)
assert h.pread(size, 0) == bytes(size)
h.flush()
# Writing over what was trimmed.
h.pwrite(b"z" * 3, size - 3, nbd.CMD_FLAG_FUA)
assert h.pread(4, size - 4) == b"\0zzz"
# Beyond the end: refused (by nbdkit, or by the library before that).
h.set_strict_mode(0)
for f in (lambda: h.trim(2, size - 1), lambda: h.zero(1, size), lambda: h.pread(2, size - 1), lambda: h.pwrite(b"xx", size - 1)):
    try:
        f()
    except nbd.Error as e:
        continue
    sys.exit("a request beyond the end was served")
assert h.pread(4, size - 4) == b"\0zzz"
PY
