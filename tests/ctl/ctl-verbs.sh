#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Each verb that changes or shows something, and each refusal: the same words
# from a pool that nobody has and from a server under load.
#
# What is wrong on the command line is refused before any pool is looked at:
# ctl-options.sh. No space on the file system: ctl-nospace.sh. Damaged data:
# ctl-copy.sh, too. A missing region: ctl-grow.sh. No test here for: memory that is
# persistent beside memory that is not (libpmem says the same of all files here;
# tests/unit/grow_test.c has it), no permission (tests may be run by root), and what
# only a broken client can ask for (control_test.c).
. "${top_srcdir:?}/tests/ctl/functions.sh"
need_libnbd

head -c 1572864 /dev/urandom >"$tmp/image"
yes 'more than there is room for' | head -c 40000000 >"$tmp/large" || true
truncate -s 1M "$tmp/zeroes"
: >"$tmp/empty"
echo 'something' >"$tmp/short"
mkdir "$tmp/directory"
mkfifo "$tmp/fifo"
truncate -s 1G "$tmp/holes"
# A signature: a swap area's.
truncate -s 1M "$tmp/swap"
printf '\1\0\0\0\377\0\0\0' | dd of="$tmp/swap" bs=1 seek=1024 conv=notrunc status=none
printf SWAPSPACE2 | dd of="$tmp/swap" bs=1 seek=4086 conv=notrunc status=none
# A region of another pool.
ctl format "$tmp/third.pool" --size 1M >/dev/null
ctl grow "$tmp/third.pool" --add "$tmp/foreign" --add-size 1M >/dev/null
# Nobody here may make a file of a gigabyte: neither prmemctl nor a server.
ulimit -S -f 500000

# through_pipe FILE ARGUMENT... - as show(), which finds the file in a pipe.
through_pipe() {
	(cat "$1" >"$tmp/fifo" 2>/dev/null || true) &
	show "${@:2}"
	wait $!
}

# Numbers of what was done, which differ by what is done.
numbers() {
	awk '/^[$]|^DISK/ || NF < 5 { print; next } { print $1, "and numbers" }'
}

# Of JSON only what is there.
keys() {
	"$python" -c 'import json, sys
def keys(o):
    if isinstance(o, dict):
        return {k: keys(v) for k, v in sorted(o.items())}
    return [keys(o[0])] if isinstance(o, list) and o and isinstance(o[0], dict) else type(o).__name__
for line in sys.stdin:
    print(keys(json.loads(line)) if line.startswith("{") else line, end="" if line[0] != "{" else "\n")'
}

disks() {
	show create "$1" a 1000001
	show create "$1" a 1M
	show create "$1" b 3M --reserve --description 'the second' --read-only
	show create "$1" c 1G --reserve
	show create "$1" a/b 1M
	show create "$1" none 0
	show create "$1" huge 17T
	show create "$1" big 1T
	show create "$1" wordy 1M --description "$(printf 'x%.0s' {1..256})"
	show set "$1" a description='what for' reserve=on read-only=on
	show set "$1" a read-only=off reserve=off
	show set "$1" a "description=$(printf 'x%.0s' {1..256})"
	show set "$1" a $'description=two\nlines'
	show set "$1" nothing reserve=on
	show set "$1" big reserve=on
	show rename "$1" a b
	show rename "$1" a 'no good'
	show rename "$1" a d
	show rename "$1" a e
	show resize "$1" d 2M
	show resize "$1" d 0
	show resize "$1" d 17T
	show resize "$1" nothing 1M
	show resize "$1" big 2T
	show resize "$1" b 1G
	show create "$1" j 1M --json
	show set "$1" j description=j --json
	show resize "$1" j 2M --json
	show rename "$1" j k --json
	show remove "$1" k --json
	show rename "$1" k j --json
}

copies() {
	show import "$1" d "$tmp/image"
	show import "$1" d "$tmp/image" --force
	show import "$1" b "$tmp/image" --force
	show import "$1" i "$tmp/image"
	show import "$1" "$(printf 'n%.0s' {1..64})" "$tmp/image"
	show import "$1" "$(printf 'n%.0s' {1..63})" "$tmp/zeroes"
	show remove "$1" "$(printf 'n%.0s' {1..63})"
	show import "$1" l "$tmp/large"
	show import "$1" i "$tmp/large" --force
	input=$tmp/large show import "$1" l -
	input=/dev/null show import "$1" l -
	through_pipe "$tmp/large" import "$1" l "$tmp/fifo"
	through_pipe "$tmp/image" import "$1" l "$tmp/fifo" --size 1M
	through_pipe "$tmp/image" import "$1" l "$tmp/fifo" --size 2M
	through_pipe "$tmp/image" import "$1" l "$tmp/fifo" --size 1536K
	show import "$1" l "$tmp/image" --size 1M --force
	show set "$1" l reserve=on
	show import "$1" l "$tmp/holes" --force
	show remove "$1" l
	show import "$1" l "$tmp/empty"
	show import "$1" l "$tmp/nothing"
	show import "$1" l "$tmp/directory"
	show resize "$1" i 1M
	show resize "$1" i 1M --force
	show resize "$1" i 1500000
	show export "$1" i "$tmp/exported"
	cmp -n 1048576 "$tmp/exported" "$tmp/image" || echo 'other bytes'
	cmp -i 1048576 -n 451424 "$tmp/exported" /dev/zero || echo 'no zeroes'
	show export "$1" nothing "$tmp/exported"
	show export "$1" i "$tmp/no/such/directory"
	show export "$1" i "$tmp/directory"
	show export "$1" i /dev/full
	show export "$1" i "$tmp/exported" --json
	show import "$1" json "$tmp/exported" --json
	show remove "$1" json
}

looks() {
	show map "$1" i
	show map "$1" i --json
	show map "$1"
	show map "$1" nothing
	show check "$1"
	show check "$1" --disk i
	show check "$1" --disk nothing
	show check "$1" --json
	show scrub "$1"
	show scrub "$1" --disk d
	show scrub "$1" --disk nothing
	show stat "$1" | numbers
	show stat "$1" i | numbers
	show stat "$1" i --watch=0.01 --count 2 | numbers
	show stat "$1" --prometheus | sed '/^[$#]/!d'
	show stat "$1" i --json | keys
	show stat "$1" nothing
	show remove "$1" nothing
	show remove "$1" i --wipe
	show remove "$1" d
}

pool() {
	local i
	show grow "$1" --size 1M
	show grow "$1" --size 17T
	show grow "$1" --size 16T
	show grow "$1" --add "$tmp/huge" --add-size 16T
	[ ! -e "$tmp/huge" ] || echo 'a file was made'
	show grow "$1" --size 32M
	cp "$1" "$tmp/copy"
	cp "$tmp/other.pool" "$1.other"
	show grow "$1" --add "$1"
	show grow "$1" --add "$tmp/copy"
	show grow "$1" --add "$tmp/copy" --force
	show grow "$1" --add "$1.other"
	show grow "$1" --add "$tmp/image"
	show grow "$1" --add "$tmp/short"
	show grow "$1" --add "$tmp/empty"
	show grow "$1" --add "$tmp/nothing"
	show grow "$1" --add "$tmp/directory"
	show grow "$1" --add "$tmp/fifo"
	show grow "$1" --add /dev/null
	show grow "$1" --add "$tmp/foreign"
	show grow "$1" --add "$tmp/swap"
	show grow "$1" --size 1G
	show grow "$1" --add "$tmp/nothing" --add-size 1G
	show grow "$1" --add "$tmp/$(printf 'n%.0s' {1..120})" --add-size 1M
	is "$(find "$tmp" -name 'n*' -newer "$tmp/copy")" '' 'files made by what was refused'
	show grow "$1" --add "$tmp/nothing" --add-size 1K
	show grow "$1" --add "$tmp/no/such/file" --add-size 1M
	show set "$1" --label 'a label'
	show set "$1" --label "$(printf 'x%.0s' {1..64})"
	show set "$1" --label $'two\nlines'
	show format "$1"
	show list "$1"
	show info "$1"
	show list "$1" --json
	show info "$1" --json
	show resize "$1" d 1M --json
	show grow "$1" --size 32M --json
	show grow "$1" --add "$1.region" --add-size 4M
	show grow "$1" --size 64M
	cp "$1.region" "$tmp/copy"
	show grow "$1" --add "$tmp/copy"
	show grow "$1" --add "$tmp/copy" --force
	show grow "$1" --add "$1.other" --force
	for ((i = 3; i < 16; i++)); do
		ctl grow "$1" --add "$1.region$i" --add-size 256K >/dev/null 2>&1 || break
	done
	show grow "$1" --add "$1.region16" --add-size 256K
	show check "$1"
	rm "$tmp/copy"
}

# No room for a single page more: all of it is promised, or taken by records of
# disks. (Overwriting takes pages and gives them back: not under load.)
full() {
	local size i=0 failures=0
	ctl create "$1" b 64K --reserve >/dev/null
	ctl create "$1" big 1M >/dev/null
	for size in 512K 256K 128K 64K 32K 16K; do
		ctl create "$1" "r$size" "$size" --reserve >/dev/null 2>&1 || true
	done
	while [ $failures -lt 2 ] && [ $((++i)) -lt 20 ]; do
		ctl create "$1" "x$i" 4K >/dev/null 2>&1 || failures=$((failures + 1))
	done
	show create "$1" one-more 1M
	show create "$1" one-more 1M --reserve
	show resize "$1" b 1M
	show import "$1" one-more "$tmp/image"
	show set "$1" big description='no room for another record'
}

# A pool whose index is damaged can be read, and nothing else.
damaged() {
	show info "$1"
	show list "$1"
	show check "$1"
	show scrub "$1" --disk whole
	show export "$1" whole "$tmp/exported"
	show export "$1" bad "$tmp/exported"
	show map "$1" bad
	show create "$1" n 1M
	show set "$1" whole read-only=on
	show set "$1" --label n
	show rename "$1" whole n
	show resize "$1" whole 1M
	show remove "$1" whole
	show remove "$1" bad --force
	show import "$1" n "$tmp/image"
	show import "$1" whole "$tmp/image" --force
	show grow "$1" --size 64M
	show grow "$1" --add "$tmp/nothing" --add-size 1M
}

# No pool, or none that can be opened: nobody serves it, so that is said without a
# server only.
none() {
	local verb words name
	for verb in list check 'create n 1M' format; do
		read -ra words <<<"$verb"
		for name in nothing foreign swap empty directory fifo short blank cut long; do
			case $verb:$name in
			check:[cdefls]* | create*:[cdefls]* | format:blank) continue ;;
			esac
			show "${words[0]}" "$tmp/$name" "${words[@]:1}"
		done
	done
	show list /dev/null
	show repair "$tmp/nothing"
	show format "$tmp/nothing" --size 1G
	show format "$tmp/nothing" --size 1K
	show format "$tmp/nothing" --size 17T
	show format "$tmp/no/such/directory" --size 1M
	show format "$tmp/blank" --size 2M
}

# Of what is allowed to differ: identities, times; how much the disk under load has, and how often it is open.
same() {
	sed -E -e 's/[0-9a-f]{8}-[0-9a-f-]{27}/UUID/g' -e 's/20[0-9-]{8} [0-9:]{8} UTC/DATE/' -e "s|$tmp/[a-z]+\\.pool|POOL|g" \
		-e 's/"(created|allocated|free|available|nodes|kept_back|reserved|promised|entries|pages)":[0-9]+/"\1":N/g' -e 's/"open":1/"open":0/' \
		-e 's/^[0-9.]+ [KM]iB( of .* allocated;)/SIZE\1/' \
		-e '/^(allocated|free|available|reserved) /s/ [0-9].*/ SIZE/' -e '/^busy /d' -e 's/[0-9]+ nodes?, [0-9]+ pages?/N nodes, N pages/' \
		-e 's/, [0-9.]+ [KM]iB read/, SIZE read/' -e 's/(room for|needs up to) [0-9]+/\1 N/g' -e 's/cannot reserve [0-9]+/cannot reserve N/' \
		-e "s|$tmp|TMP|g"
}

ctl format "$tmp/other.pool" --size 1M --label 'another one' >/dev/null
ctl format "$tmp/full.pool" --size 1M >/dev/null
ctl format "$tmp/fuller.pool" --size 1M >/dev/null
for name in offline live; do
	pool=$tmp/$name.pool
	ctl format "$pool" --size 24M --label "$name" >/dev/null
	ctl set "$pool" --label same >/dev/null
	ctl create "$pool" busy 8M --reserve >/dev/null
done
two_pages "$tmp/image"
ctl format "$tmp/bad.pool" --size 8M --label bad >/dev/null
ctl create "$tmp/bad.pool" busy 1M >/dev/null
ctl import "$tmp/bad.pool" whole "$tmp/image" >/dev/null
ctl import "$tmp/bad.pool" bad "$tmp/two" >/dev/null
damage_index "$tmp/bad.pool" bad
cp "$tmp/bad.pool" "$tmp/worse.pool"

scenario() {
	disks "$1"
	copies "$1"
	looks "$1"
	pool "$1"
}
scenario "$tmp/offline.pool" >"$tmp/offline.txt"
full "$tmp/full.pool" >>"$tmp/offline.txt"
damaged "$tmp/bad.pool" >>"$tmp/offline.txt"
serve s "$tmp/live.pool"
load s busy
scenario "$tmp/live.pool" >"$tmp/live.txt"

# What only a server refuses, or only it can do.
refuse 8 'stop the server' repair "$tmp/live.pool"
refuse 1 "in use by process ${server_pid[s]}\b" format "$tmp/live.pool" --force
refuse 1 'disk busy is in use' remove "$tmp/live.pool" busy
refuse 1 'disk busy is in use' import "$tmp/live.pool" busy "$tmp/image" --force
refuse 1 'nobody serves it' set "$tmp/offline.pool" --low-space 1M
# In use by a client, or by another import: without a server one prmemctl has the pool
# at a time, and the others wait for it.
mkfifo "$tmp/pipe"
(ctl import "$tmp/live.pool" twice - <"$tmp/pipe" >/dev/null 2>&1 || true) &
exec 3>"$tmp/pipe"
head -c 2M "$tmp/large" >&3
another_is_under_way() {
	ctl import "$tmp/live.pool" twice "$tmp/image" >"$tmp/twice" 2>&1 && fail "two imports at the same time"
	grep -q 'another import of it is under way' "$tmp/twice"
}
wait_for another_is_under_way
exec 3>&-
wait $!
unload
stop s
ctl repair "$tmp/live.pool" >/dev/null || fail "a clean pool needs repair"
ctl scrub "$tmp/live.pool" >/dev/null || fail "damage after all that"

serve s "$tmp/fuller.pool"
full "$tmp/fuller.pool" >>"$tmp/live.txt"
stop s
serve s "$tmp/worse.pool"
load s busy
damaged "$tmp/worse.pool" >>"$tmp/live.txt"
refuse 8 'stop the server' repair "$tmp/worse.pool"
unload
stop s

# A server that only reads refuses all that changes something. (Nobody tells prmemctl
# to do that, where it opens the pool.)
serve s -r -- "$tmp/offline.pool"
for verb in "create n 1M" "set big reserve=on" "set --label n" "rename big n" "resize big 1M" "remove big" \
	"import n $tmp/image" "import big $tmp/image --force" "grow --size 64M" "grow --add $tmp/nothing --add-size 1M"; do
	read -ra words <<<"$verb"
	refuse 1 "offline.pool is read-only: cannot " "${words[0]}" "$tmp/offline.pool" "${words[@]:1}"
done
stop s

# A repair that loses something leaves damage, which is no damage any more afterwards;
# one that does not, repairs all. Only without a server: see above.
ends() { # STATUS PATTERN ARGUMENT...
	local status=0
	ctl "${@:3}" >"$tmp/ends" || status=$?
	is "$status" "$1" "status of ${*:3}: $(cat "$tmp/ends")"
	grep -q "$2" "$tmp/ends" || fail "${*:3} does not say $2: $(cat "$tmp/ends")"
}
ends 4 'node: disk bad, bytes 2097152 to 4194303: lost' repair "$tmp/worse.pool"
ends 0 'clean; .* 512 known as lost' check "$tmp/worse.pool"
ends 0 'clean; ' repair "$tmp/worse.pool"
ctl remove "$tmp/worse.pool" bad >/dev/null
ctl import "$tmp/worse.pool" bad "$tmp/two" >/dev/null
damage_index "$tmp/worse.pool" bad bit
ends 4 '1 thing is wrong' check "$tmp/worse.pool"
ends 1 '1 thing was wrong, 1 of them is repaired' repair "$tmp/worse.pool" --keep "$tmp/kept"
[ -s "$tmp/kept" ] || fail "nothing was kept of what was repaired"
refuse 8 'kept: cannot be made: File exists' repair "$tmp/worse.pool" --keep "$tmp/kept"
ends 0 'clean; ' scrub "$tmp/worse.pool"
ends 0 'clean; ' repair "$tmp/worse.pool" --keep "$tmp/nothing"
[ ! -e "$tmp/nothing" ] || fail "a file with nothing in it is left"

# Each growth by a longer file is mapped by itself, as long as the pool is open: without
# a server it is opened anew each time.
serve s "$tmp/other.pool"
for ((i = 1; i < 16; i++)); do
	ctl grow "$tmp/other.pool" --size "$((1 << 20 | i << 12))" >/dev/null
done
refuse 1 'has grown too often since it was opened' grow "$tmp/other.pool" --size 2M
stop s
ctl grow "$tmp/other.pool" --size 2M >/dev/null

same <"$tmp/offline.txt" >"$tmp/offline.same"
same <"$tmp/live.txt" >"$tmp/live.same"
diff "$tmp/offline.same" "$tmp/live.same" || fail "offline (<) and live (>) differ"

# And they are the right ones.
head -c 1M /dev/urandom >"$tmp/foreign"
truncate -s 1M "$tmp/blank"
cp "$tmp/third.pool" "$tmp/cut"
truncate -s 512K "$tmp/cut"
cp "$tmp/third.pool" "$tmp/long"
truncate -s 1100K "$tmp/long"
none | same >"$tmp/none.same"
cat "$tmp/offline.same" "$tmp/none.same" | grep -v '^{' >"$tmp/is"
if ! diff "${top_srcdir:?}/tests/ctl/ctl-verbs.expected" "$tmp/is"; then
	fail "expected (<) and said (>) differ"
fi
for line in "$tmp/offline.txt" "$tmp/live.txt"; do
	grep '^{' "$line" | "$python" -c 'import json, sys; assert len([json.loads(l) for l in sys.stdin if "'\''" not in l]) == 14'
done
