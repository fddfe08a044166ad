#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A pool on a file system that is really full.  What needs space there is ENOSPC
# in one line, and leaves nothing behind; and where the space that the file had
# is taken away under a server, so that to touch it is SIGBUS: that request is an
# error at most, the server lives, the pages are put aside for good, a rewrite
# goes to a good one.
#
# On a tmpfs in a mount namespace of its own, or in $PRMEM_SMALL_FS, an empty
# file system of 20 to 60 MiB; tests/kernel/08-poison.sh gives it an ext4.
if [ -z "${PRMEM_SMALL_FS-}" ]; then
	for namespace in 'unshare -m' 'unshare -rm'; do
		# shellcheck disable=SC2086 # words
		if $namespace mount -t tmpfs -o size=64k none /tmp 2>/dev/null; then
			# shellcheck disable=SC2016
			PRMEM_SMALL_FS=mount exec $namespace bash "$0" "$@"
		fi
	done
	echo "SKIP: no right to mount a tmpfs here, nor to make a user namespace"
	exit 77
fi
. "${top_srcdir:?}/tests/ctl/functions.sh"
need_libnbd

fs=$PRMEM_SMALL_FS
if [ "$fs" = mount ]; then
	fs=$tmp/fs
	mkdir "$fs"
	# It goes with the namespace, but clean_up() would stumble over it.
	mount -t tmpfs -o size=24m none "$fs"
	trap 'status=$?; umount -l "$fs"; (exit $status); clean_up' EXIT
fi
pool=$fs/pool

# Not a block is left.
fill_up() {
	"$python" - "$fs/fill" <<'PY'
import errno, os, sys
os.sync()  # what was freed is free
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
at = os.fstat(fd).st_size
for step in (1 << 20, 4096):
    try:
        while True:
            os.posix_fallocate(fd, at, step)
            at += step
    except OSError as e:
        assert e.errno == errno.ENOSPC, e
PY
}

# ---- what needs space, where there is none
fill_up
refuse 1 'No space left on device' format "$pool" --size 8M
[ ! -e "$pool" ] || fail "a format that failed left a file"
refused 'No space left on device' "pool=$pool" size=8M
[ ! -e "$pool" ] || fail "a server that did not start left a file"
rm "$fs/fill"

ctl format "$pool" --size 8M >/dev/null
ctl create "$pool" pram0 4M >/dev/null
head -c 1M /dev/urandom >"$tmp/image"
ctl import "$pool" kept "$tmp/image" >/dev/null
fill_up
info=$(ctl info "$pool")
refuse 1 'No space left on device' grow "$pool" --size 16M
is "$(stat -c %s "$pool")" $((8 << 20)) "length of a pool that could not grow"
refuse 1 'No space left on device' grow "$pool" --add "$fs/region" --add-size 4M
[ ! -e "$fs/region" ] || fail "a region that could not be added left a file"
is "$(ctl info "$pool")" "$info" "the pool after growths that failed"
serve s "pool=$pool"
refuse 1 'No space left on device' grow "$pool" --size 16M
is "$(stat -c %s "$pool")" $((8 << 20)) "length of a served pool that could not grow"
stop s
ctl scrub "$pool" >/dev/null || fail "damage after growths that failed"
ctl export "$pool" kept "$tmp/exported" >/dev/null
cmp "$tmp/exported" "$tmp/image" || fail "other bytes after growths that failed"

# A write there is ENOSPC, and nothing else.
serve s "pool=$pool"
"$python" - "$(uri s)" <<'PY'
import errno, nbd, sys
h = nbd.NBD()
h.connect_uri(sys.argv[1])
for page in range(1024):
    try:
        h.pwrite(b"n" * 4096, page * 4096)
    except nbd.Error as e:
        assert e.errnum == errno.ENOSPC, e
        break
else:
    sys.exit("4 MiB fit into a file system that is full")
if page > 0:
    h.pwrite(b"o" * 4096, 0)
    assert h.pread(4096, 0) == b"o" * 4096
PY
stop s
rm "$fs/fill" "$pool"

# ---- holes under a server, and no space behind them
serve s "pool=$pool" pool-size=16M size=32M
cat >"$tmp/pages.py" <<'PY'
import ctypes, errno, nbd, os, sys
PAGE = 4096
LIVE, FREE = range(0, 1024), range(1024, 2048)
LOST = (10, 20, 30)

def content(page):
    return (b"page %010d " % page) * 256

def connect(uri):
    h = nbd.NBD()
    h.connect_uri(uri)
    return h

def attempt(call):
    """What it fails with, or 0."""
    try:
        call()
        return 0
    except nbd.Error as e:
        return e.errnum
PY
cat >"$tmp/punch.py" <<'PY'
from pages import *
h = connect(sys.argv[1])
for page in range(2048):
    h.pwrite(content(page), page * PAGE)
h.trim(len(FREE) * PAGE, FREE[0] * PAGE)
h.flush()  # pages that were replaced may be used again
h.flush()
# Every other page that is free now, and three that are not, found by what they hold.
fd = os.open(sys.argv[2], os.O_RDWR)
punch = ctypes.CDLL(None, use_errno=True).fallocate
punch.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
with open(sys.argv[3], "w") as holes:
    for off in range(0, os.fstat(fd).st_size, PAGE):
        data = os.pread(fd, PAGE, off)
        if data[:5] != b"page " or data != data[:16] * 256:
            continue
        page = int(data[5:15])
        if page in LOST or (page in FREE and page % 2 == 0):
            assert punch(fd, 3, off, PAGE) == 0, os.strerror(ctypes.get_errno())
            print(off, file=holes)
PY
"$python" "$tmp/punch.py" "$(uri s)" "$pool" "$tmp/holes"
[ "$(wc -l <"$tmp/holes")" -eq 515 ] || fail "$(wc -l <"$tmp/holes") holes instead of 515"
fill_up
cat >"$tmp/touch.py" <<'PY'
from pages import *
h = connect(sys.argv[1])
bad = [page for page in LIVE if attempt(lambda: h.pread(PAGE, page * PAGE)) == errno.EIO]
assert bad == list(LOST), bad
for page in LIVE:
    assert page in LOST or h.pread(PAGE, page * PAGE) == content(page), page
# Written anew they are on good pages.
for page in LOST:
    for _ in range(8):
        if (e := attempt(lambda: h.pwrite(content(page), page * PAGE))) == 0:
            break
        assert e == errno.EIO, e
    assert h.pread(PAGE, page * PAGE) == content(page), page
# The free pages that are holes are met one by one.
nr = nr_eio = 0
for page in range(4096, 4096 + 300):
    e = attempt(lambda: h.pwrite(content(page), page * PAGE))
    assert e in (0, errno.EIO), (page, e)
    if e == 0:
        nr += 1
        assert h.pread(PAGE, page * PAGE) == content(page), page
    else:
        nr_eio += 1
print(f"{nr} pages written past holes, {nr_eio} requests refused by EIO")
assert nr > 200
h.flush()
PY
"$python" "$tmp/touch.py" "$(uri s)" || fail "see above; $(tail -n 3 "$tmp/s.log")"
kill -0 "${server_pid[s]}" || fail "the server is gone"
grep -q 'bad memory' "$tmp/s.log" || fail "the log does not tell of bad memory: $(cat "$tmp/s.log")"
bad_pages() {
	ctl info "$pool" --json | sed -E 's/.*"bad_pages":([0-9]+).*/\1/'
}
nr=$(bad_pages)
[ "$nr" -ge 100 ] || fail "$nr pages are put aside"
echo "$nr pages are put aside"
stop s KILL

# Space is there again: what was put aside stays so, with every page of the pool in use.
rm "$fs/fill"
serve s "pool=$pool"
[ "$(bad_pages)" -eq "$nr" ] || fail "$(bad_pages) pages put aside after a restart, not $nr"
cat >"$tmp/full.py" <<'PY'
from pages import *
h = connect(sys.argv[1])
nr, holes = int(sys.argv[4]), [int(line) for line in open(sys.argv[3])]
for page in list(LIVE) + [4096]:
    assert h.pread(PAGE, page * PAGE) == content(page), page
for page in range(5000, 8000):
    e = attempt(lambda: h.pwrite(content(page), page * PAGE))
    if e == errno.ENOSPC:
        break
    assert e == 0, e
else:
    sys.exit("the pool does not get full")
h.flush()
fd = os.open(sys.argv[2], os.O_RDONLY)
unused = sum(os.pread(fd, PAGE, off) == bytes(PAGE) for off in holes)
assert unused >= nr, f"{nr} pages are put aside, and only {unused} were not used"
print(f"{unused} of {len(holes)} pages that were holes are not used")
PY
"$python" "$tmp/full.py" "$(uri s)" "$pool" "$tmp/holes" "$nr" || fail "see above"
stop s
ctl scrub "$pool" >/dev/null || fail "damage is left"
