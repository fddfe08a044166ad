#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# prmem-kexec only shows what it would do: the call by file, the reservation of
# this boot on the next kernel's command line, and what it refuses.
. "${top_srcdir:?}/tests/walls/functions.sh"
export PRMEM_KEXEC_CMDLINE=$tmp/cmdline PRMEM_KEXEC_IOMEM=$tmp/iomem PRMEM_KEXEC_RUNDIR=$tmp/run

mkdir "$tmp/boot"
touch "$tmp"/boot/{vmlinuz-1,initrd.img-1,vmlinuz-2,other}
echo '100000000-1ffffffff : Persistent Memory (legacy)' >"$tmp/iomem"
echo 'BOOT_IMAGE=/vmlinuz initrd=/i root=/dev/vda quiet memmap=4G!4G ro' >"$tmp/cmdline"

# says STATUS PATTERN ARGUMENT...
says()
{
	local status=$1 pattern=$2 got

	shift 2
	"$top_srcdir/scripts/prmem-kexec" --dry-run "$@" >"$tmp/out" 2>&1 </dev/null
	got=$?
	[ "$got" -eq "$status" ] || wrong "prmem-kexec $*: status $got, not $status: $(cat "$tmp/out")"
	grep -qE -- "$pattern" "$tmp/out" || wrong "prmem-kexec $*: said \"$(cat "$tmp/out")\", not /$pattern/"
}

says 0 "^kexec -s -l $tmp/boot/vmlinuz-1 --command-line=root=/dev/vda.*memmap=4G.*4G.* ro --initrd=$tmp/boot/initrd.img-1" \
	"$tmp/boot/vmlinuz-1"
says 0 '^kexec -e' "$tmp/boot/vmlinuz-1"
if grep -qE 'BOOT_IMAGE|initrd=/i' "$tmp/out"; then
	wrong "the boot loader's words went along: $(cat "$tmp/out")"
fi
says 0 '^kexec -s -p ' --panic "$tmp/boot/vmlinuz-1"
if grep -q 'kexec -e' "$tmp/out"; then
	wrong "--panic starts the kernel: $(cat "$tmp/out")"
fi
says 0 'ro..? debug' --append debug --load "$tmp/boot/vmlinuz-2"
if grep -q initrd "$tmp/out"; then
	wrong "an initrd of another kernel was taken: $(cat "$tmp/out")"
fi
says 0 "--initrd=$tmp/boot/other" --initrd "$tmp/boot/other" "$tmp/boot/vmlinuz-1"
says 1 'lacks memmap=4G!4G' --command-line='root=/dev/vda quiet' "$tmp/boot/vmlinuz-1"
says 1 'lacks memmap=4G!4G' --command-line='quiet memmap=2G!4G' "$tmp/boot/vmlinuz-1"
says 0 'kexec -s' --command-line='memmap=1G!16G,4G!4G' "$tmp/boot/vmlinuz-1"
says 1 'cannot be read' "$tmp/boot/none"
says 1 'cannot be read' --initrd "$tmp/boot/none" "$tmp/boot/vmlinuz-1"
says 1 'needs a value' --initrd
says 1 'unknown option' --nonsense
says 1 'one kernel' "$tmp/boot/vmlinuz-1" "$tmp/boot/vmlinuz-2"

: >"$tmp/iomem"
says 1 'shows none as persistent' "$tmp/boot/vmlinuz-1"
echo 'root=/dev/vda' >"$tmp/cmdline"
says 1 'without a reservation' "$tmp/boot/vmlinuz-1"

# The old call is never asked for where the new one exists.
if grep -nE 'kexec (-a|-l|--load)' "$top_srcdir/scripts/prmem-kexec"; then
	wrong "kexec is called without -s"
fi
exit $errors
