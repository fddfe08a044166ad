#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# debug slot: a page, a hole in a leaf, above it and where there is no tree, a
# damaged page, one outside of the pool, a damaged link, what a repair gave up;
# the same with and without a server.
. "${top_srcdir:?}/tests/ctl/functions.sh"
need_libnbd

pool=$tmp/pool
ctl format "$pool" --size 8M >/dev/null
head -c 4096 /dev/urandom >"$tmp/page"
two_pages "$tmp/page"
ctl import "$pool" d "$tmp/two" >/dev/null
ctl create "$pool" empty 1G >/dev/null

# slot OFFSET KEY... - what it says, by key, one word each.
slot() {
	ctl debug slot "$pool" d "$1" --json | "$python" -c 'import json, sys
o = json.load(sys.stdin)
print(*(str(o.get(k)) for k in sys.argv[1:]))' "${@:2}"
}

# bytes_at OFFSET - eight bytes of the pool, as the number that they are.
bytes_at() {
	od -An -t x8 --endian=little -j "$1" -N 8 "$pool" | tr -d ' '
}

# flip OFFSET - change one bit of the pool.
flip() {
	"$python" -c 'import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(int(sys.argv[2]))
    byte = f.read(1)[0]
    f.seek(-1, 1)
    f.write(bytes([byte ^ 1]))' "$pool" "$1"
}

# A page: what the slot names is there, and the slot is where the node has it.
read -r page node number stored <<<"$(slot 0 page node number slot)"
is "$(slot 0 kind verifies level in_node unreadable offset length)" 'page True 0 True False 0 4096' 'a page'
cmp -n 4096 -i "$((page * 4096)):0" "$pool" "$tmp/page" || fail "page $page is not that page"
is "$(bytes_at "$((node * 4096 + number * 8))")" "$stored" 'the slot in its node'
is "$(slot 0 proof)" "$(slot 0 expected_proof)" 'proof'
is "$(slot 0 proof)" "${stored:0:7}" 'the proof in the slot'
is "$(slot 4095 offset)" 0 'the last byte of the page'
# The page at index 600 has the same content, and another proof.
[ "$(slot 0 proof)" != "$(slot 2400K proof)" ] || fail "two places have one proof"
is "$(slot 2400K kind verifies offset number)" 'page True 2457600 88' 'the other leaf'

# Holes: of a leaf; where no tree reaches.
is "$(slot 4096 kind verifies level number page offset length)" 'hole True 0 1 None 4096 4096' 'a hole of a leaf'
ctl debug slot "$pool" empty 1M >"$tmp/out"
grep -qx 'node       none: the index does not reach that far' "$tmp/out" || fail "no tree: $(cat "$tmp/out")"
grep -qx 'verifies   yes' "$tmp/out" || fail "no tree: $(cat "$tmp/out")"
ctl resize "$pool" d 2G >/dev/null
is "$(slot 1536M kind in_node verifies offset)" 'hole False True 1073741824' 'above the tree'
is "$(slot 4M kind in_node level verifies offset length)" 'hole True 1 True 4194304 2097152' 'a hole above leaves'

# Damage of the content: only that page, and the reason is in the numbers.
ctl debug slot "$pool" d 0 >"$tmp/whole"
cp "$pool" "$tmp/good"
flip "$((page * 4096 + 77))"
is "$(slot 0 kind verifies page unreadable)" "page False $page False" 'a damaged page'
is "$(slot 0 proof)" "${stored:0:7}" 'proof stored'
[ "$(slot 0 expected_proof)" != "${stored:0:7}" ] || fail "damage does not change the proof"
is "$(slot 2400K verifies)" True 'the other page'
ctl debug slot "$pool" d 0 >"$tmp/damaged"
is "$(diff "$tmp/whole" "$tmp/damaged" | grep -c '^>')" 2 'lines that differ for a damaged page'
grep -qx 'verifies   no' "$tmp/damaged" || fail "it verifies: $(cat "$tmp/damaged")"

# Damage of the slot: of its page number, so that it names nothing; of its kind.
cp "$tmp/good" "$pool"
flip "$((node * 4096 + number * 8 + 3))"
is "$(slot 0 kind verifies unreadable expected)" 'page False True None' 'a page outside of the pool'
cp "$tmp/good" "$pool"
flip "$((node * 4096 + number * 8 + 4))"
is "$(slot 0 kind verifies expected)" 'unknown False None' 'an unknown kind'

# Damage of a link: the slot above the leaf is what is shown, for all of the leaf.
cp "$tmp/good" "$pool"
damage_index "$pool" d bit
is "$(slot 2400K kind verifies level offset length)" 'node False 1 2097152 2097152' 'a damaged link'
is "$(slot 0 kind verifies)" 'page True' 'the other leaf of a damaged link'
cp "$tmp/good" "$pool"
damage_index "$pool" d
status=0
ctl repair "$pool" >/dev/null || status=$?
is "$status" 4 'status of a repair'
is "$(slot 2400K kind verifies level offset length page)" 'lost True 1 2097152 2097152 None' 'what a repair gave up'

# What is wrong on the command line, and what is not there.
refuse 1 'disk d ends at 2147483648: it has nothing at 2147483648' debug slot "$pool" d 2G
refuse 1 'there is no disk nothing' debug slot "$pool" nothing 0
refuse 2 'far is no offset' debug slot "$pool" d far
refuse 2 'usage: prmemctl debug .*slot POOL DISK OFFSET' debug slot "$pool" d
refuse 2 'usage: prmemctl debug .*slot POOL DISK OFFSET' debug node "$pool" d 0
refuse 2 'usage: prmemctl debug .*slot POOL DISK OFFSET' debug

# Nothing of it changes the pool; a server says the same.
cp "$tmp/good" "$pool"
flip "$((page * 4096 + 77))"
cp "$pool" "$tmp/before"
for at in 0 4096 2400K 4M 1536M; do
	show debug slot "$pool" d "$at"
	show debug slot "$pool" d "$at" --json
done >"$tmp/offline"
cmp "$pool" "$tmp/before" || fail "debug slot changes the pool"
serve s "$pool"
for at in 0 4096 2400K 4M 1536M; do
	show debug slot "$pool" d "$at"
	show debug slot "$pool" d "$at" --json
done >"$tmp/live"
diff "$tmp/offline" "$tmp/live" || fail "offline (<) and live (>) differ"
refuse 1 'disk d ends at 2147483648' debug slot "$pool" d 2G
# A page that is written anew verifies, and is another one.
"$python" -c 'import nbd, sys
h = nbd.NBD()
h.connect_uri(sys.argv[1])
h.pwrite(b"x" * 4096, 0)' "$(uri s d)"
is "$(slot 0 kind verifies)" 'page True' 'written anew'
[ "$(slot 0 page)" != "$page" ] || fail "a page was overwritten in place"
stop s
