#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# What prmem-nbd says when something is wrong: one line, the right status, and
# nothing attached.  Every case ends before the kernel is asked for anything.
. "${top_srcdir:?}/tests/walls/functions.sh"

prmem_nbd=${top_builddir:?}/prmem-nbd
export PRMEM_NBD_RUNDIR=$tmp/run
pids=()
stop_servers()
{
	[ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null
}
trap 'stop_servers; rm -rf "$tmp"' EXIT

# expect STATUS PATTERN ARGUMENT...
expect()
{
	local status=$1 pattern=$2 got

	shift 2
	timeout 30 "$prmem_nbd" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
	got=$?
	[ "$got" -eq "$status" ] || wrong "prmem-nbd $*: status $got, not $status: $(cat "$tmp/err")"
	grep -qE -- "$pattern" "$tmp/err" || wrong "prmem-nbd $*: said \"$(cat "$tmp/err")\", not /$pattern/"
	[ ! -s "$tmp/out" ] || wrong "prmem-nbd $*: printed $(cat "$tmp/out")"
	[ "$(wc -l <"$tmp/err")" -eq 1 ] || wrong "prmem-nbd $*: not one line: $(cat "$tmp/err")"
}

# serve NAME NBDKIT-ARGUMENT...
serve()
{
	local sock=$tmp/$1.sock deadline=$((SECONDS + 30))

	shift
	nbdkit -f -U "$sock" "$@" >"$tmp/nbdkit.log" 2>&1 </dev/null &
	pids+=($!)
	until [ -S "$sock" ]; do
		[ "$SECONDS" -lt "$deadline" ] || { echo "no server: $(cat "$tmp/nbdkit.log")"; exit 1; }
		sleep 0.05
	done
}

expect 2 'which verb'
expect 2 'unknown verb' mount x
expect 2 'unrecognized option' attach --nonsense x
expect 2 'a server and an export' attach
expect 2 'a server and an export' attach a b c
expect 2 'neither --force nor --json' attach --json x
expect 2 'one device or export' detach
expect 2 'no option but --force' detach --read-only x
expect 2 'no argument' list x
expect 2 'no option but --json' list --force
expect 2 'one device' status
for bad in 0 65 -1 '' 1x ' 1' 99999999999999999999; do
	expect 2 'number from 1 to 64' attach --connections "$bad" x
done
expect 2 'number from 1 to 3600' attach --timeout 0 x
expect 2 'number from 1 to' attach --reattach-timeout 0 x
expect 2 'number from 512' attach --block-size 256 x
expect 2 'give 512, 1024' attach --block-size 1000 x
expect 2 'name of an nbd device' attach --device /dev/sda x
expect 1 'not the name of an nbd device' status pram0
expect 3 'not attached' status /dev/nbd1048575
expect 1 'nothing of this name' detach pram0
expect 1 'no such nbd device' detach /dev/sda
expect 1 'only|can do nbd://' attach http://example/
expect 1 'no such socket' attach "$tmp/none.sock" pram0
: >"$tmp/file"
expect 1 'nobody listens' attach "$tmp/file" pram0

if command -v nbdkit >/dev/null; then
	serve old -o memory 1M
	expect 1 'old style' attach "$tmp/old.sock"
	serve empty memory 0
	expect 1 'less than one block' attach "$tmp/empty.sock"
	serve tiny memory 511
	expect 1 'less than one block' attach "$tmp/tiny.sock"
	serve single --filter=multi-conn memory 1M multi-conn-mode=disable
	expect 1 'one connection a client' attach --connections 4 "$tmp/single.sock"
	serve policy --filter=blocksize-policy memory 1M blocksize-minimum=4096 blocksize-preferred=4096
	expect 1 'blocks of 4096' attach --block-size 512 "$tmp/policy.sock"
	mkdir "$tmp/dir"
	serve dir file dir="$tmp/dir"
	expect 1 'nothing|refuses|no export' attach "$tmp/dir.sock" missing
fi

# Asking is no error where nothing was ever attached.
[ "$("$prmem_nbd" list --json | tr -d '\n')" = '[]' ] || wrong "list --json of nothing: $("$prmem_nbd" list --json)"
[ -z "$("$prmem_nbd" list)" ] || wrong "list of nothing printed something"
"$prmem_nbd" --version | grep -qE '^prmem-nbd [0-9]+\.[0-9]+' || wrong "--version: $("$prmem_nbd" --version)"
exit $errors
