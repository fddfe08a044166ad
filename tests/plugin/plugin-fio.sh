#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# fio verifies what it wrote: random and sequential, blocks of 512 bytes, 4 KiB
# and 1 MiB, 4 connections; then once more after SIGKILL of the server.
# PRMEM_TEST_FIO_MIB=1024 for the long form.
. "${top_srcdir:?}/tests/plugin/functions.sh"
need fio fio
fio --enghelp=nbd >"$tmp/enghelp" 2>&1 || skip "fio has no nbd engine"
grep -q uri "$tmp/enghelp" || skip "fio has no nbd engine"

mib=${PRMEM_TEST_FIO_MIB:-32}
serve s "pool=$tmp/pool" "size=${mib}M"

# run RW BS KIB EXTRA... - four jobs, each on its own quarter of a part of KIB.
run() {
	local rw=$1 bs=$2 kib=$3
	shift 3
	(cd "$tmp" && fio --name=job --ioengine=nbd --uri="$(uri s)" --rw="$rw" --bs="$bs" --numjobs=4 \
		--size="$((kib / 4))k" --offset_increment="$((kib / 4))k" --iodepth=16 --verify=crc32c --verify_fatal=1 \
		--randseed=1 --group_reporting --minimal "$@") >"$tmp/fio.log" 2>&1 || fail "fio $rw $bs $*"
}

# How much of the disk each gets: small blocks are slow.
all=$((mib * 1024))
for rw in write randwrite; do
	run $rw 512 $((all / 32))
	run $rw 4k $((all / 4))
	run $rw 1m $all
done
run randrw 4k $((all / 8)) --trim_percentage=0

# Written, acknowledged, killed, verified.
run randwrite 4k $((all / 4)) --do_verify=0
stop s KILL
serve s "pool=$tmp/pool"
run randwrite 4k $((all / 4)) --verify_only=1
