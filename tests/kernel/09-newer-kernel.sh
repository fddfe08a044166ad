#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# shellcheck disable=SC2034,SC2154 # vm.sh uses and sets them
# The quick round on the newest kernel that the package archive has: serve,
# attach, make a file system, kill the server while it is written to, kexec, find
# it all there.
. "$(dirname "${BASH_SOURCE[0]}")/vm.sh"

if [ -z "${VM_GUEST:-}" ] && [ -z "${PRMEM_VM_KERNEL:-}" ]; then
	PRMEM_VM_KERNEL=$(apt-cache search --names-only '^linux-image-[0-9].*-amd64$' 2>/dev/null |
		awk '{ print $1 }' | grep -vE 'cloud|rt-|unsigned|dbg|template' | sort -V | tail -n 1)
	case $PRMEM_VM_KERNEL in
	'' | linux-image-6.1.*) vm_skip "the package archive has no kernel newer than Debian 12's own" ;;
	esac
fi

guest_1()
{
	say "Linux $(uname -r)"
	load_modules
	devdax namespace0.0
	serve card pool=/dev/dax0.0 size=128M
	check "attach" prmem-nbd attach --timeout 3 /run/card.sock pram0
	mkdir -p /mnt/card
	check "mkfs" mkfs.ext4 -q /dev/nbd0
	check "mount" mount /dev/nbd0 /mnt/card
	(while :; do dd if=/dev/urandom of=/mnt/card/busy bs=64k count=16 conv=fsync status=none || touch /run/failed; done) &
	sleep 1
	kill_server card
	serve card pool=/dev/dax0.0
	check "write" fill /mnt/card
	manifest /mnt/card /run/vm/manifest
	check "no write failed" test ! -e /run/failed
	echo 2 >/run/vm/stage
	check_dmesg
	prmem-kexec --initrd=/run/vm/initrd.img --now /run/vm/vmlinuz
	fail "kexec came back"
}

guest_2()
{
	load_modules
	until_true 30 test -c /dev/dax0.0 || fail "no /dev/dax0.0 after kexec"
	serve card pool=/dev/dax0.0
	check "attach" prmem-nbd attach /run/card.sock pram0
	mkdir -p /mnt/card
	check "mount recovers the journal" mount /dev/nbd0 /mnt/card
	check "what was synced is there" same /mnt/card /run/vm/manifest
	check "unmount" umount /mnt/card
	check "detach" prmem-nbd detach pram0
	kill_server card TERM
	check "every checksum" check_pool /dev/dax0.0
}

vm_main "$@"
