#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Growth by a file and by regions, without a server and online: what could not
# be written before can be, a killed growth is done or not done and can be done
# again, a region that is missing is named.
. "${top_srcdir:?}/tests/ctl/functions.sh"
need_libnbd
need nbdcopy libnbd-bin

pool=$tmp/grow.pool
size() {
	ctl info "$pool" --json | sed -E 's/.*"size":([0-9]+),"allocated.*/\1/'
}
ctl format "$pool" --size 8M >/dev/null
# All of it is written: what is under load below replaces, which a full pool has room for.
head -c 2M /dev/urandom >"$tmp/busy"
ctl import "$pool" busy "$tmp/busy" >/dev/null
head -c 1M /dev/urandom >"$tmp/whole"
ctl import "$pool" whole "$tmp/whole" >/dev/null
head -c 20M /dev/urandom >"$tmp/image"
ctl grow "$pool" --size 12M >/dev/null
is "$(size)" $((12 << 20)) "size after growing the file"
refuse 1 'cannot be made smaller' grow "$pool" --size 8M
refuse 1 'the pool is full' import "$pool" large "$tmp/image"
(cd "$tmp" && ctl grow grow.pool --add region1 --add-size 4M >/dev/null)
is "$(size)" $((16 << 20)) "size with a region"
refuse 1 'several regions' grow "$pool" --size 64M

serve s "$pool"
load s busy
refuse 1 'the pool is full' import "$pool" large "$tmp/image"
(cd "$tmp" && ctl grow grow.pool --add region2 --add-size 16M >/dev/null)
is "$(size)" $((32 << 20)) "size with two regions"
ctl import "$pool" large "$tmp/image" >/dev/null
refuse 1 'there is data on it' grow "$pool" --add "$tmp/image"
refuse 1 'no such file' grow "$pool" --add "$tmp/nothing"
cp "$tmp/image" "$tmp/forced"
ctl grow "$pool" --add "$tmp/forced" --force >/dev/null
is "$(size)" $((52 << 20)) "size with three regions"
unload
stop s
is "$(ctl info "$pool" | grep -c '^region ')" 4 "regions"
ctl export "$pool" large "$tmp/exported" >/dev/null
cmp "$tmp/exported" "$tmp/image" || fail "other bytes from several regions"
ctl scrub "$pool" >/dev/null || fail "damage after growing"

# Missing: it is named, and the pool does not open; disks that are whole can be
# read by whoever asks for that.
mv "$tmp/region2" "$tmp/elsewhere"
refuse 1 "region 2 .* is missing: region $tmp/region2: no such file" create "$pool" new 1M
refuse 1 'region 2 .* is missing' info "$pool"
refuse 8 'region 2 .* is missing' scrub "$pool"
refuse 2 'does not know --degraded' create --degraded "$pool" new 1M
ctl info "$pool" --degraded | grep -qE '^region 2 .*, MISSING$' || fail "nobody says what is missing: $(ctl info "$pool" --degraded)"
ctl export "$pool" whole "$tmp/out" --degraded >/dev/null || fail "a disk that is whole cannot be read"
cmp "$tmp/out" "$tmp/whole" || fail "other bytes in a disk that is whole"
refuse 1 'cannot be read|there is no disk' export "$pool" large "$tmp/no" --degraded
refused 'region 2 .* is missing' "$pool"
refused 'region 2 .* is missing' -r -- "$pool"
refused 'degraded= is given without -r' "$pool" degraded=yes
serve s -r -- "$pool" degraded=yes
nbdcopy "$(uri s whole)" "$tmp/nbd" || fail "a disk that is whole is not served"
cmp "$tmp/nbd" "$tmp/out" || fail "other bytes from a disk that is whole"
# What the other has there is an error, what it has elsewhere is right. (Where it
# has its record, the disk is not there at all.)
"$python" - "$(uri s large)" "$tmp/image" <<'PY' || fail "what is missing was served"
import errno, nbd, sys
h = nbd.NBD()
try:
    h.connect_uri(sys.argv[1])
except nbd.Error:
    sys.exit()
image, bad = open(sys.argv[2], "rb"), 0
for at in range(0, h.get_size(), 65536):
    try:
        assert h.pread(65536, at) == image.read(65536), at
    except nbd.Error as e:
        assert e.errnum == errno.EIO, e
        image.seek(at + 65536)
        bad += 1
assert bad > 0
h.shutdown()
PY
ctl info "$pool" | grep -qE '^region 2 .*, MISSING$' || fail "the server does not say what is missing"
stop s
# Foreign: something else is where it was.
cp "$tmp/region1" "$tmp/region2"
refuse 1 "region 2 .* is missing: region $tmp/region2: it is another region" create "$pool" new 1M
rm "$tmp/region2"
# Said where it is; and once it was written there, known to be.
refuse 1 'region 2 .* is missing' create "$pool" new 1M --region "$tmp/region1"
ctl export "$pool" large - --region "$tmp/region1" --region "$tmp/elsewhere" 2>/dev/null | cmp - "$tmp/image" ||
	fail "other bytes from another place"
mkdir "$tmp/config"
printf 'POOL=%s\nOPTIONS="low-space=1M region=%s"\n' "$pool" "$tmp/elsewhere" >"$tmp/config/moved.conf"
ctl list moved >/dev/null || fail "a configured place is not used"
refuse 1 'region 2 .* is missing' list "$pool"
serve s "$pool" region="$tmp/region1" region="$tmp/elsewhere"
ctl scrub "$pool" >/dev/null || fail "damage from another place"
stop s
ctl export "$pool" large - 2>/dev/null | cmp - "$tmp/image" || fail "the new place was not remembered"
mv "$tmp/elsewhere" "$tmp/region2"
ctl create "$pool" new 1M --region "$tmp/region2" >/dev/null
ctl export "$pool" large - 2>/dev/null | cmp - "$tmp/image" || fail "the old place was not remembered again"

# Killed.
rounds=${PRMEM_KILL_ROUNDS:-2}
export LD_LIBRARY_PATH=$top_builddir/.libs
grow() {
	"$prmemctl" grow "$pool" --add "$tmp/added" --add-size 4M
}
judge() {
	local now
	now=$(size)
	case $now in
	8388608)
		# Not done: nothing of it is in the way.
		grow >/dev/null || fail "cannot be done again"
		;;
	12582912) ;;
	*) fail "$now bytes, neither old nor new" ;;
	esac
	is "$(size)" 12582912 "size in the end"
	ctl scrub "$pool" >"$tmp/scrub.log" || fail "damage by a growth that was killed: $(cat "$tmp/scrub.log")"
}
for ((i = 0; i < rounds; i++)); do
	rm -f "$pool" "$tmp/added"
	ctl format "$pool" --size 8M >/dev/null
	(timeout -s KILL "$(printf '0.%06d' $((5000 + RANDOM % 60000)))" "$prmemctl" grow "$pool" --add "$tmp/added" --add-size 4M || true) >/dev/null 2>&1
	judge
	rm -f "$pool" "$tmp/added"
	ctl format "$pool" --size 8M >/dev/null
	serve s "$pool"
	grow >/dev/null 2>&1 &
	client=$!
	sleep "$(printf '0.%06d' $((RANDOM % 40000)))"
	stop s KILL
	wait $client || true
	judge
done
