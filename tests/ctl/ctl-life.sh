#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A disk's whole life on a server: created, attached, filled until the pool is full,
# the pool grown, gone on, resized, renamed, exported, removed, imported,
# replaced; while fio verifies another disk of the pool without an error, which has a
# reservation: so has a third one, which is empty until the pool is full. (Attached
# is a connection that stays; tests/kernel has the kernel's client.)
. "${top_srcdir:?}/tests/ctl/functions.sh"
need_libnbd
need nbdcopy libnbd-bin
need fio fio
fio --enghelp=nbd >/dev/null 2>&1 || skip "fio without nbd (Debian package fio)"

pool=$tmp/life.pool
ctl format "$pool" --size 48M >/dev/null
ctl create "$pool" other 8M --reserve >/dev/null
ctl create "$pool" promised 4M --reserve >/dev/null
serve s "$pool"

# The other disk: again and again, until it is told to end.
(
	seed=0
	mkdir "$tmp/fio"
	cd "$tmp/fio" || exit 1
	while [ ! -e "$tmp/end" ]; do
		seed=$((seed + 1))
		fio --name=job --ioengine=nbd --uri="$(uri s other)" --rw=randwrite --bsrange=512-64k --bs_unaligned=1 --size=8m \
			--iodepth=8 --verify=crc32c --verify_fatal=1 --randseed=$seed --minimal >"$tmp/fio.log" 2>&1 || exit 1
		echo $seed >"$tmp/fio.rounds"
	done
) &
fio=$!
wait_for test -s "$tmp/fio.rounds"
rounds_are() { # NUMBER
	kill -0 $fio 2>/dev/null || fail "fio on the other disk: $(cat "$tmp/fio.log")"
	[ "$(cat "$tmp/fio.rounds")" -ge "$1" ] 2>/dev/null
}
another_round() { # begun and ended since
	wait_for rounds_are $(($(cat "$tmp/fio.rounds") + 2))
}

ctl create "$pool" life 64M >/dev/null
# One connection for as long as it can be.
"$python" - "$(uri s life)" "$tmp" >"$tmp/client.log" 2>&1 <<'PY' &
import errno, hashlib, nbd, os, sys, time
tmp = sys.argv[2]
h = nbd.NBD()
h.connect_uri(sys.argv[1])
MiB = 1 << 20
image = open(tmp + "/expected", "wb+")
image.truncate(64 * MiB)

def block(i):
    return hashlib.sha256(b"%d" % i).digest() * (MiB // 32)

def wait(name):
    print(name, flush=True)
    while not os.path.exists(tmp + "/" + name):
        time.sleep(0.01)

at = 0
try:
    while True:
        h.pwrite(block(at), at * MiB)
        image.seek(at * MiB)
        image.write(block(at))
        at += 1
except nbd.Error as e:
    assert e.errnum == errno.ENOSPC, e
assert 20 <= at < 64, at
# Overwriting goes on in a full pool.
h.pwrite(block(1000), 0)
image.seek(0)
image.write(block(1000))
wait("full")
# A write that failed may have been done in part: it is repeated.
for i in range(at, 60):
    h.pwrite(block(i), i * MiB)
    image.seek(i * MiB)
    image.write(block(i))
for i in range(1, 60):
    assert h.pread(MiB, i * MiB) == block(i), i
image.close()
wait("grown")
PY
client=$!
wait_for grep -qs full "$tmp/client.log"
# Full, for whoever has no reservation, and for as long as fio needs to write and verify all of its disk.
refuse 1 'the pool cannot reserve' create "$pool" late 4M --reserve
refuse 1 'the pool cannot reserve' set "$pool" life reserve=on
another_round
"$python" - "$(uri s promised)" <<'PY' || fail "what was promised was not kept"
import nbd, os, sys
h = nbd.NBD()
h.connect_uri(sys.argv[1])
for i in range(64):
    data = os.urandom(65536)
    h.pwrite(data, i * 65536)
    assert h.pread(65536, i * 65536) == data, i
h.shutdown()
PY
ctl grow "$pool" --size 160M >/dev/null
touch "$tmp/full"
wait_for grep -qs grown "$tmp/client.log"

# With its own reservation through the rest of it.
ctl set "$pool" life reserve=on >/dev/null
ctl resize "$pool" life 80M >/dev/null
is "$(nbdinfo --size "$(uri s life)")" $((80 << 20)) "size after growing"
refuse 1 'lie behind the new end' resize "$pool" life 32M
ctl resize "$pool" life 64M >/dev/null
ctl rename "$pool" life afterlife >/dev/null
refuse 1 'is in use' remove "$pool" afterlife
ctl export "$pool" afterlife "$tmp/exported" >/dev/null
cmp "$tmp/exported" "$tmp/expected" || fail "what was exported is not what was written"
touch "$tmp/grown"
wait "$client" || fail "the client: $(cat "$tmp/client.log")"
remove() {
	ctl remove "$pool" afterlife >/dev/null 2>&1
}
wait_for remove
is "$(ctl list "$pool" | awk '$1 == "afterlife"')" '' "what is left of a disk that was removed"
refuse 1 'there is no disk' export "$pool" afterlife "$tmp/again"
ctl import "$pool" life "$tmp/exported" >/dev/null
nbdcopy "$(uri s life)" "$tmp/back"
cmp "$tmp/back" "$tmp/expected" || fail "what was imported is not what was written"

# Replaced in one step, in a pool of several regions by now.
ctl set "$pool" life description='once more' reserve=on >/dev/null
(cd "$tmp" && ctl grow life.pool --add region1 --add-size 80M >/dev/null)
head -c 30M /dev/urandom >"$tmp/other"
refuse 1 'exists: --force replaces it' import "$pool" life "$tmp/other"
ctl import "$pool" life "$tmp/other" --force >/dev/null
nbdcopy "$(uri s life)" "$tmp/back"
cmp "$tmp/back" "$tmp/other" || fail "what replaced it is not what was imported"
is "$(ctl list "$pool" --json | grep -oE '"name":"life"[^}]*"description":"[^"]*"' | sed "s/.*://")" '"once more"' "description of what was replaced"
is "$(ctl list "$pool" | awk '$1 == "life" { print $6 }')" R "flags of what was replaced"
another_round

touch "$tmp/end"
wait $fio || fail "fio on the other disk: $(cat "$tmp/fio.log")"
ctl stat "$pool" other --json | grep -q '"crc_errors":0' || fail "checksums of the other disk"
ctl scrub "$pool" >/dev/null || fail "damage after all that"
stop s
ctl scrub "$pool" >/dev/null || fail "damage behind the server"
