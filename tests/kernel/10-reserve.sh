#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# shellcheck disable=SC2034,SC2154 # vm.sh uses and sets them
# prmem-reserve on a machine without a reservation: what it proposes is put on
# the command line of the next boot as GRUB would, the node is made, exactly
# once, a pool lives in it over a kexec, --check is content.  With a changed
# reservation the node is not made again, nothing is served from it, and the pool
# is there when the reservation is put right.
. "$(dirname "${BASH_SOURCE[0]}")/vm.sh"
VM_MEMORY=6G
VM_MEMMAP=

host()
{
	vm_start
	vm_wait
	VM_MEMMAP=$(cat "$VM_DIR/share/parameter")
	vm_say "the next boot gets $VM_MEMMAP"
	vm_stage 2
	vm_start # ends with stage 4, two kernels later
	vm_wait
}

guest_1()
{
	check_fails "no reserved memory yet" prmem-reserve --namespace
	check_fails "--check says so" prmem-reserve --check
	check "a proposal" prmem-reserve 512M
	mkdir -p /etc/default/grub.d
	touch /etc/default/grub
	check "written for GRUB" prmem-reserve --write 512M
	check_fails "not a second time" prmem-reserve --write 512M
	# what grub-mkconfig reads
	sh -c '. /etc/default/grub; . /etc/default/grub.d/prmem.cfg; echo $GRUB_CMDLINE_LINUX' >/run/vm/parameter
	cp /etc/default/grub.d/prmem.cfg /run/vm/prmem.cfg
	check "it lies above 4 GiB" grep -qx 'memmap=512M![4-9][0-9]*[GM]' /run/vm/parameter
}

# next STAGE COMMAND-LINE
next()
{
	echo "$1" >/run/vm/stage
	check_dmesg
	kexec -s -l /run/vm/vmlinuz --initrd=/run/vm/initrd.img --command-line="$2"
	kexec -e
	fail "kexec came back"
}

# As the Debian package does.
no_kexec_at_reboot()
{
	mkdir -p /etc/default/kexec.d
	echo 'LOAD_KEXEC=false' >/etc/default/kexec.d/prmem
}

guest_2()
{
	modprobe ext4
	no_kexec_at_reboot
	mkdir -p /etc/default/grub.d
	cp /run/vm/prmem.cfg /etc/default/grub.d/
	check "the node is made" prmem-reserve --namespace
	until_true 10 test -c /dev/dax0.0 || fail "no /dev/dax0.0"
	check "--check: no pool yet" sh -c "prmem-reserve --check | grep -q 'ok: /dev/dax0.0: holds no pool yet'"
	serve card pool=/dev/dax0.0 size=128M
	check "--check while it is served" sh -c "prmem-reserve --check | grep -q 'ok: /dev/dax0.0: holds a pool of its own size'"
	check "attach" prmem-nbd attach /run/card.sock pram0
	mkdir -p /mnt/card
	check "mkfs" mkfs.ext4 -q /dev/nbd0
	check "mount" mount /dev/nbd0 /mnt/card
	fill /mnt/card
	manifest /mnt/card /run/vm/manifest
	check "unmount" umount /mnt/card
	check "detach" prmem-nbd detach pram0
	kill_server card TERM
	check "a second time: it is there already" sh -c "prmem-reserve --namespace | grep -q 'there already: /dev/dax0.0'"
	check "--check" prmem-reserve --check
	check "load the next kernel" prmem-kexec --load --initrd=/run/vm/initrd.img /run/vm/vmlinuz
	check "--check knows that it keeps the range" sh -c "prmem-reserve --check | grep -q 'ok: the next kernel gets'"
	check "load it without the range" kexec -s -l /run/vm/vmlinuz --initrd=/run/vm/initrd.img --command-line=console=ttyS0
	rm -f /run/prmem/kexec
	check_fails "--check objects" prmem-reserve --check
	cp /proc/cmdline /run/vm/cmdline
	next 3 "$(sed 's/memmap=512M!/memmap=384M!/' /proc/cmdline)"
}

# Somebody made the range smaller: so is the node.
guest_3()
{
	no_kexec_at_reboot
	check "another size: the node is not made again" sh -c "prmem-reserve --namespace | grep -q 'there already: /dev/dax0.0'"
	check_fails "another size: --check objects" prmem-reserve --check
	check "it says why" grep -q 'PROBLEM: /dev/dax0.0: .*its superblock says' /tmp/check_fails.out
	check_fails "another size: not served" timeout 60 nbdkit -f -U /run/card.sock prmem pool=/dev/dax0.0
	next 4 "$(cat /run/vm/cmdline)"
}

guest_4()
{
	modprobe ext4
	no_kexec_at_reboot
	mkdir -p /etc/default/grub.d
	cp /run/vm/prmem.cfg /etc/default/grub.d/
	check "put right: the node is there" sh -c "prmem-reserve --namespace | grep -q 'there already: /dev/dax0.0'"
	check "--check" prmem-reserve --check
	serve card pool=/dev/dax0.0
	check "attach" prmem-nbd attach /run/card.sock pram0
	mkdir -p /mnt/card
	check "mount" mount /dev/nbd0 /mnt/card
	check "the files are there" same /mnt/card /run/vm/manifest
	check "unmount" umount /mnt/card
	check "detach" prmem-nbd detach pram0
	kill_server card TERM
}

vm_main "$@"
