#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# shellcheck disable=SC2034,SC2154 # vm.sh uses and sets them
# Power cuts: the machine has an NVDIMM with a file behind it and is killed
# while it writes.  After the next boot every checksum is right and every file
# whose fsync had returned is there.
#
#	04-power.sh [CYCLES [SEED]]
. "$(dirname "${BASH_SOURCE[0]}")/vm.sh"
cycles=${1:-2}
seed=${2:-$RANDOM}
VM_MEMORY=2G,slots=2,maxmem=4G
VM_MEMMAP=
VM_LIMIT=$((120 + cycles * 120))

host()
{
	local cycle

	vm_say "$cycles cycles, seed $seed"
	RANDOM=$seed
	truncate -s 256M "$VM_DIR/nvdimm"
	VM_QEMU=(-machine "pc,nvdimm=on"
		-object "memory-backend-file,id=nv,share=on,mem-path=$VM_DIR/nvdimm,size=256M,align=2M"
		-device "nvdimm,memdev=nv,id=nv0")
	for ((cycle = 1; cycle <= cycles; cycle++)); do
		vm_start
		vm_await writing
		sleep "$((RANDOM % 4)).$((RANDOM % 10))"
		vm_kill
		vm_say "power cut $cycle, after $(wc -l <"$VM_DIR/share/synced") files"
		vm_stage 2
	done
	vm_stage 3
	vm_start
	vm_wait
}

prepare()
{
	modprobe -a nfit nd_pmem dax_pmem device_dax nbd ext4 || fail "modules"
	until_true 30 sh -c '[ -e /dev/pmem0 ] || [ -e /dev/dax0.0 ]' || fail "no NVDIMM"
	mkdir -p /mnt/card
}

open_pool()
{
	serve card pool=/dev/dax0.0 "$@"
	check "attach" prmem-nbd attach /run/card.sock pram0
}

# Each file is noted on the host once its fsync has returned.
write_for_ever()
{
	local nr

	check "mount" mount /dev/nbd0 /mnt/card
	fio --name=load --filename=/mnt/card/fio --size=16M --rw=randwrite --bs=4k --fsync=16 --verify=crc32c \
		--verify_backlog=256 --time_based --runtime=600 --eta=never >/run/fio.out 2>&1 &
	nr=$(wc -l </run/vm/synced)
	mark writing
	while :; do
		nr=$((nr + 1))
		head -c $((RANDOM * 3 + 1)) /dev/urandom >"/mnt/card/file.$((nr % 200))"
		sync "/mnt/card/file.$((nr % 200))" /mnt/card
		sha256sum "/mnt/card/file.$((nr % 200))" >>/run/vm/synced
	done
}

# The last note of each file counts; the one that was being written when the
# power went may be old, new, or cut short.
compare()
{
	local nr

	nr=$(($(wc -l </run/vm/synced) + 1))
	tac /run/vm/synced | awk '!seen[$2]++' | grep -v "/file.$((nr % 200))\$" >/tmp/expected
	[ -s /tmp/expected ] && sha256sum --quiet -c /tmp/expected
}

verify()
{
	prepare
	check "every checksum" check_pool /dev/dax0.0
	open_pool
	check "mount recovers the journal" mount /dev/nbd0 /mnt/card
	check "$(wc -l </run/vm/synced) synced files are there" compare
	check "unmount" umount /mnt/card
	check "fsck" e2fsck -fn /dev/nbd0
}

guest_1()
{
	: >/run/vm/synced
	prepare
	devdax namespace0.0
	open_pool size=192M
	check "mkfs" mkfs.ext4 -q /dev/nbd0
	write_for_ever
}

guest_2()
{
	verify
	write_for_ever
}

guest_3()
{
	verify
	check "detach" prmem-nbd detach /dev/nbd0
}

vm_main "$@"
