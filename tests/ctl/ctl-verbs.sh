#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Each verb that changes or shows something, and each refusal: the same words
# from a pool that nobody has and from a server under load.
. "${top_srcdir:?}/tests/ctl/functions.sh"
need_libnbd

scenario() {
	show create "$1" a 1000001
	show create "$1" a 1M
	show create "$1" b 3M --reserve --description 'the second' --read-only
	show create "$1" c 1G --reserve
	show create "$1" a/b 1M
	show create "$1" none 0
	show create "$1" huge 17T
	show create "$1" big 1T
	show set "$1" a description='what for' reserve=on read-only=on
	show set "$1" a read-only=off reserve=off
	show set "$1" a "description=$(printf 'x%.0s' {1..256})"
	show set "$1" nothing reserve=on
	show set "$1" big reserve=on
	show rename "$1" a b
	show rename "$1" a 'no good'
	show rename "$1" a d
	show rename "$1" a e
	show resize "$1" d 2M
	show resize "$1" d 0
	show resize "$1" nothing 1M
	show resize "$1" big 2T
	head -c 1572864 /dev/urandom >"$tmp/image"
	show import "$1" d "$tmp/image"
	show import "$1" d "$tmp/image" --force
	show import "$1" i "$tmp/image"
	show import "$1" "$(printf 'n%.0s' {1..60})" "$tmp/image"
	show resize "$1" i 1M
	show resize "$1" i 1M --force
	show resize "$1" i 1500000
	show export "$1" i "$tmp/exported"
	cmp -n 1048576 "$tmp/exported" "$tmp/image" || echo 'other bytes'
	cmp -i 1048576 -n 451424 "$tmp/exported" /dev/zero || echo 'no zeroes'
	show export "$1" nothing "$tmp/exported"
	show export "$1" i "$tmp/no/such/directory"
	show map "$1" i
	show map "$1" nothing
	show check "$1"
	show check "$1" --disk i
	show check "$1" --disk nothing
	show scrub "$1" --disk d
	show stat "$1" nothing
	show remove "$1" nothing
	show remove "$1" i --wipe
	show remove "$1" d
	show grow "$1" --size 1M
	show grow "$1" --size 96M
	show grow "$1" --add "$tmp/image"
	show grow "$1" --add "$tmp/nothing"
	show set "$1" --label 'a label'
	show set "$1" --label "$(printf 'x%.0s' {1..64})"
	show format "$1"
	show list "$1"
	show info "$1"
	show list "$1" --json
	show info "$1" --json
	show resize "$1" d 1M --json
}

# Of what is allowed to differ: identities, times; how much the disk under load has.
same() {
	sed -E -e 's/[0-9a-f]{8}-[0-9a-f-]{27}/UUID/g' -e 's/20[0-9-]{8} [0-9:]{8} UTC/DATE/' -e "s|$tmp/[a-z]+\\.pool|POOL|g" \
		-e 's/"(created|allocated|free|available|nodes|kept_back)":[0-9]+/"\1":N/g' -e 's/"open":1/"open":0/' \
		-e '/^(allocated|free|available) /s/ [0-9].*/ SIZE/' -e '/^busy /d' -e 's/[0-9]+ nodes, [0-9]+ pages/N nodes, N pages/' \
		-e 's/, [0-9.]+ [KM]iB read/, SIZE read/'
}

for name in offline live; do
	ctl format "$tmp/$name.pool" --size 64M --label "$name" >/dev/null
	ctl set "$tmp/$name.pool" --label same >/dev/null
	ctl create "$tmp/$name.pool" busy 8M >/dev/null
done
scenario "$tmp/offline.pool" >"$tmp/offline.txt"
serve s "$tmp/live.pool"
load s busy
scenario "$tmp/live.pool" >"$tmp/live.txt"
unload
same <"$tmp/offline.txt" >"$tmp/offline.same"
same <"$tmp/live.txt" >"$tmp/live.same"
diff "$tmp/offline.same" "$tmp/live.same" || fail "offline (<) and live (>) differ"

# And they are the right ones.
grep -v '^{' "$tmp/offline.same" | sed "s|$tmp|TMP|g" >"$tmp/is"
if ! diff "${top_srcdir:?}/tests/ctl/ctl-verbs.expected" "$tmp/is"; then
	fail "expected (<) and said (>) differ"
fi
for line in "$tmp/offline.txt" "$tmp/live.txt"; do
	grep '^{' "$line" | "$python" -c 'import json, sys; assert len([json.loads(l) for l in sys.stdin]) == 3'
done

# What only a server refuses, or only it can do.
refuse 8 'stop the server' repair "$tmp/live.pool"
refuse 1 "in use by process ${server_pid[s]}\b" format "$tmp/live.pool" --force
refuse 1 'nobody serves it' set "$tmp/offline.pool" --low-space 1M
stop s
ctl repair "$tmp/live.pool" >/dev/null || fail "a clean pool needs repair"
ctl scrub "$tmp/live.pool" >/dev/null || fail "damage after all that"
