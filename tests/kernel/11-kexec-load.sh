#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# shellcheck disable=SC2034,SC2154 # vm.sh uses and sets them
# Why prmem-kexec says -s: the older kexec_load(2), with the same memmap= on
# the next kernel's command line, lays that kernel over the pool.  Kept below
# the pool by --mem-max it does not.  Both are shown, on a pool at the top of
# memory, where kexec-tools begin to look for a place.
. "$(dirname "${BASH_SOURCE[0]}")/vm.sh"
VM_MEMMAP='memmap=128M!4992M'

start()
{
	load_modules
	[ "$VM_STAGE" -gt 1 ] || devdax namespace0.0
	until_true 30 test -c /dev/dax0.0 || return 1
}

next()
{
	echo "$((VM_STAGE + 1))" >/run/vm/stage
	check_dmesg
	sync
	kexec -e
	fail "kexec came back"
}

guest_1()
{
	start || fail "no /dev/dax0.0"
	serve card pool=/dev/dax0.0 size=100M
	dd if=/dev/urandom of=/tmp/full bs=1M count=100 status=none
	check "fill the disk" nbdcopy /tmp/full 'nbd+unix:///pram0?socket=/run/card.sock'
	sha256sum </tmp/full >/run/vm/sum
	kill_server card TERM
	check "load by kexec_load, below the pool" kexec -c -l /run/vm/vmlinuz --initrd=/run/vm/initrd.img \
		--reuse-cmdline --mem-max=0x137ffffff
	next
}

guest_2()
{
	start || fail "no /dev/dax0.0"
	serve card pool=/dev/dax0.0
	check "below the pool: all is readable" nbdcopy 'nbd+unix:///pram0?socket=/run/card.sock' /tmp/full
	check "below the pool: not a byte has changed" sh -c "sha256sum </tmp/full | cmp - /run/vm/sum"
	kill_server card TERM
	check "load by kexec_load, as it likes" kexec -c -l /run/vm/vmlinuz --initrd=/run/vm/initrd.img --reuse-cmdline
	next
}

# The damage is found, page by page, and not returned as data.
guest_3()
{
	local bad

	if ! start; then
		ok "as it likes: not even the node is there any more"
		return
	fi
	nbdkit -f -r -U /run/card.sock prmem pool=/dev/dax0.0 >/run/card.log 2>&1 &
	if ! until_true 30 test -S /run/card.sock; then
		ok "as it likes: the pool cannot be opened: $(tail -n 1 /run/card.log)"
		return
	fi
	bad=$(nbdsh -u 'nbd+unix:///pram0?socket=/run/card.sock' -c '
bad = set()
for page in range(0, 100 * 256, 16):
    try:
        h.pread(4096, page * 4096)
    except nbd.Error:
        bad.add(page // 256)
print(len(bad))')
	say "$bad of 100 MiB have a page that is gone"
	check "as it likes: the pool was overwritten, and reads are errors" test "$bad" -gt 0
}

vm_main "$@"
