#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# shellcheck disable=SC2034,SC2154 # vm.sh uses and sets them
# A mounted disk grows: the server is killed, the disk resized, the server
# started; the device has the new size and the file system is grown on line.
# Then the same while the server runs, asked by prmemctl.
. "$(dirname "${BASH_SOURCE[0]}")/vm.sh"

has_size()
{
	until_true 60 sh -c "[ \$(blockdev --getsize64 /dev/nbd0) = $1 ]"
}

grown()
{
	check "resize2fs" resize2fs /dev/nbd0
	check "the file system has room" sh -c "[ \$(df --output=size -B1M /mnt/card | tail -n 1) -gt $1 ]"
	check "the files are the same" same /mnt/card /tmp/manifest
}

guest_1()
{
	load_modules
	devdax namespace0.0
	serve card pool=/dev/dax0.0 size=64M
	check "attach" prmem-nbd attach --timeout 3 --check-interval 1 /run/card.sock pram0
	mkdir /mnt/card
	check "mkfs" mkfs.ext4 -q /dev/nbd0
	check "mount" mount /dev/nbd0 /mnt/card
	check "write" fill /mnt/card
	manifest /mnt/card /tmp/manifest
	sync

	kill_server card
	check "resize" "$PRMEM_BUILDDIR/tests/kernel/resize" /dev/dax0.0 pram0 $((96 << 20))
	check "and on, by a descriptor" "$PRMEM_BUILDDIR/tests/kernel/resize" - pram0 $((128 << 20)) <>/dev/dax0.0
	serve card pool=/dev/dax0.0
	check "the device grows after a restart" has_size $((128 << 20))
	grown 100
	check "resize what is served" prmemctl resize /dev/dax0.0 pram0 256M
	check "the device grows while the server runs" has_size $((256 << 20))
	check "the server saw no restart" kill -0 "$server_card"
	grown 220
	check "fill it" dd if=/dev/zero of=/mnt/card/zero bs=1M count=150 conv=fsync
	check "write behind the old end" dd if=/dev/urandom of=/mnt/card/more bs=1M count=60 conv=fsync
	check "unmount" umount /mnt/card
	check "fsck" e2fsck -fn /dev/nbd0
	check "detach" prmem-nbd detach /dev/nbd0
	kill_server card
	check "every checksum" check_pool /dev/dax0.0
}

vm_main "$@"
