#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Growth by a file and by regions, without a server and online: what could not
# be written before can be, a killed growth is done or not done and can be done
# again, a region that is missing is named.
. "${top_srcdir:?}/tests/ctl/functions.sh"
need_libnbd

pool=$tmp/grow.pool
size() {
	ctl info "$pool" --json | sed -E 's/.*"size":([0-9]+),"allocated.*/\1/'
}
ctl format "$pool" --size 8M >/dev/null
ctl create "$pool" busy 2M >/dev/null
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

# Missing, and back.
mv "$tmp/region2" "$tmp/elsewhere"
refuse 1 'region 2 .* is missing' create "$pool" new 1M
ctl info "$pool" | grep -qE '^region 2 .*, MISSING$' || fail "nobody says what is missing: $(ctl info "$pool")"
mv "$tmp/elsewhere" "$tmp/region2"
ctl export "$pool" large - 2>/dev/null | cmp - "$tmp/image" || fail "other bytes when it is back"

# Killed.
rounds=5
[ -z "${PRMEM_QUICK-}" ] || rounds=2
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
	# What a crash leaves of the superblocks is put right by whoever opens the pool for writing.
	ctl remove "$pool" nothing 2>/dev/null || true
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
