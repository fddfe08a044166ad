#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# shellcheck disable=SC2034,SC2154 # vm.sh uses and sets them
# What README tells a new user to type, from its own lines, ending in a kexec
# with the disk mounted and in use (synced); then a second kexec with it cleanly
# unmounted.  prmem-kexec refuses when the next kernel would not know of the
# reservation.
. "$(dirname "${BASH_SOURCE[0]}")/vm.sh"

# readme HEADING: the lines below it.
readme()
{
	awk -v heading="### $1" '$0 == heading { on = 1; next } /^#/ { on = 0 } on && sub(/^    /, "")' /run/vm/README
}

# type_readme HEADING: type them.
type_readme()
{
	local line lines

	lines=$(readme "$1")
	[ -n "$lines" ] || fail "README has no lines below \"$1\""
	while IFS= read -r line; do
		check "README: $line" bash -c "$line </dev/null >/tmp/typed 2>&1 || { cat /tmp/typed; exit 1; }"
		# what a person's fingers leave time for
		until_true 30 test -S /run/prmem/main.sock || :
	done <<<"$lines"
}

prepare()
{
	modprobe -a nd_e820 nd_pmem dax_pmem device_dax nbd ext4 || fail "modules"
	check "/run/prmem is made at boot" systemd-tmpfiles --create prmem.conf
	cp /run/vm/vmlinuz "/boot/vmlinuz-$(uname -r)"
	cp /run/vm/initrd.img "/boot/initrd.img-$(uname -r)"
}

host()
{
	cp "$VM_SRCDIR/../../README" "$VM_DIR/share/"
	vm_start
	vm_wait
}

guest_1()
{
	prepare
	readme "Once: reserve memory" | grep -qx 'prmem-reserve --write 4G' || fail "README's first line is another one"
	type_readme "Once: make the disk"
	check "write" fill /srv
	manifest /srv /run/vm/manifest
	type_readme "Restart or upgrade the server, without unmounting"
	check "all is there, and nothing was unmounted" same /srv /run/vm/manifest
	check "write more" dd if=/dev/urandom of=/srv/more bs=1M count=4 conv=fsync
	check_fails "a command line without the reservation is refused" \
		prmem-kexec --load --command-line=console=ttyS0
	check "nothing was loaded" grep -qx 0 /sys/kernel/kexec_loaded
	# In use: a writer is at work on another file when the kernel is replaced.
	(while :; do dd if=/dev/urandom of=/srv/busy bs=64k count=64 conv=fsync status=none; done) &
	sleep 1
	next
}

next()
{
	echo "$((VM_STAGE + 1))" >/run/vm/stage
	check_dmesg
	type_readme "Start another kernel"
	fail "kexec came back"
}

guest_2()
{
	prepare
	until_true 30 test -c /dev/dax0.0 || fail "no /dev/dax0.0 after kexec"
	type_readme "There it is again"
	check "the journal was recovered" sh -c "dmesg | grep -q 'EXT4-fs (nbd0): recovery complete'"
	check "what was synced is there" same /srv /run/vm/manifest
	check "write more" cp -r /srv/files /srv/copy
	check "unmount" umount /srv
	check "fsck" e2fsck -fn /dev/nbd0
	check "detach" prmem-nbd detach /dev/nbd0
	killall nbdkit
	next
}

guest_3()
{
	prepare
	until_true 30 test -c /dev/dax0.0 || fail "no /dev/dax0.0 after the second kexec"
	type_readme "There it is again"
	check "the file system was left clean" sh -c "! dmesg | grep -q 'EXT4-fs (nbd0): recovery'"
	check "the first files" same /srv /run/vm/manifest
	check "the second files" diff -r /srv/files /srv/copy
	check "unmount" umount /srv
	check "detach" prmem-nbd detach main/pram0
	killall nbdkit
	until_true 30 sh -c '! pgrep nbdkit'
	check "every checksum" check_pool /dev/dax0.0 pram0
}

vm_main "$@"
