#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# prmem-reserve on machines that are made of files: what it proposes, what it
# writes for GRUB, what it refuses, what --check finds.
. "${top_srcdir:?}/tests/walls/functions.sh"
reserve=$top_srcdir/scripts/prmem-reserve
export PRMEM_RESERVE_ROOT=$tmp/root

# machine CMDLINE: a fresh one; its memory map is standard input.
machine()
{
	rm -rf "$PRMEM_RESERVE_ROOT"
	mkdir -p "$PRMEM_RESERVE_ROOT"/{proc,etc/default,sys/kernel,run/prmem}
	echo "$1" >"$PRMEM_RESERVE_ROOT/proc/cmdline"
	cat >"$PRMEM_RESERVE_ROOT/proc/iomem"
	echo 'GRUB_CMDLINE_LINUX=quiet' >"$PRMEM_RESERVE_ROOT/etc/default/grub"
}

big_machine()
{
	machine "${1:-quiet}" <<-'END'
		00001000-0009fbff : System RAM
		00100000-bfffffff : System RAM
		  2b000000-33ffffff : Crash kernel
		c0000000-febfffff : PCI Bus 0000:00
		100000000-63fffffff : System RAM
		  11fa00000-120801d31 : Kernel code
		  121400000-12164897f : Kernel data
	END
}

# says STATUS PATTERN ARGUMENT...
says()
{
	local status=$1 pattern=$2 got

	shift 2
	"$reserve" "$@" >"$tmp/out" 2>&1 </dev/null
	got=$?
	[ "$got" -eq "$status" ] || wrong "prmem-reserve $*: status $got, not $status: $(cat "$tmp/out")"
	grep -qE -- "$pattern" "$tmp/out" || wrong "prmem-reserve $*: said \"$(cat "$tmp/out")\", not /$pattern/"
}

# Above 4 GiB, aligned to 128 MiB, clear of where the kernel lies.
big_machine
says 0 '^memmap=4G!4736M$' 4G
says 0 '^memmap=256M!4G$' 256M
says 0 '^memmap=256M!4G$' 300M
says 0 '^memmap=6016M!' # a quarter
says 1 'smallest reservation is 128M' 1M
says 1 'too little for the system' 22G
says 1 'too little for the system' 100T
for bad in x 1X -1 0 1.5G '' ' '; do
	[ -n "$bad" ] || continue
	says 1 'give a size|unknown option' "$bad"
done

# Below 4 GiB: the highest place, and not over the crash kernel.
machine quiet <<-'END'
	00001000-0009fbff : System RAM
	00100000-bffdffff : System RAM
	  01000000-02000000 : Kernel code
	  a8000000-bfffffff : Crash kernel
END
says 0 '^memmap=1G!1664M$' 1G
says 1 'no free range' 2G

# What an ordinary user sees of /proc/iomem.
machine quiet <<-'END'
	00000000-00000000 : System RAM
	00000000-00000000 : System RAM
END
says 1 'run this as root' 1G

# Written so that the shell that reads it gets exactly the parameter, once.
big_machine
says 0 'prmem.cfg: memmap=4G!4736M' --write 4G
got=$(sh -c '. "$1/etc/default/grub"; . "$1/etc/default/grub.d/prmem.cfg"; echo "$GRUB_CMDLINE_LINUX"' sh "$PRMEM_RESERVE_ROOT")
[ "$got" = 'quiet memmap=4G!4736M' ] || wrong "GRUB gets: $got"
got=$(bash -c '. "$1/etc/default/grub.d/prmem.cfg"; echo "$GRUB_CMDLINE_LINUX"' bash "$PRMEM_RESERVE_ROOT")
[ "$got" = ' memmap=4G!4736M' ] || wrong "bash gets: $got"
says 1 'there is one already .4G!4736M.' --write 4G
big_machine 'quiet memmap=1G!8G'
says 1 'this boot has a reservation already .1G!8G.' --write 4G
says 0 'add nokaslr' 4G
big_machine
rm -r "$PRMEM_RESERVE_ROOT/etc/default"
says 1 'defaults are not here' --write 4G

# --check
big_machine
says 1 'no memmap=SIZE!START' --check
says 1 'this boot has no reserved memory' --namespace

machine 'quiet memmap=4G!8G' <<-'END'
	100000000-1ffffffff : System RAM
	200000000-2ffffffff : Persistent Memory (legacy)
	300000000-3ffffffff : System RAM
END
says 0 '^ok: memmap=4G!8G is in force' --check
echo 1 >"$PRMEM_RESERVE_ROOT/sys/kernel/kexec_loaded"
says 1 'PROBLEM: the next kernel is loaded, but not by prmem-kexec' --check
printf '/boot/vmlinuz\nquiet memmap=4G!8G\n' >"$PRMEM_RESERVE_ROOT/run/prmem/kexec"
says 0 '^ok: the next kernel gets memmap=4G!8G' --check
printf '/boot/vmlinuz\nquiet memmap=4G!16G\n' >"$PRMEM_RESERVE_ROOT/run/prmem/kexec"
says 1 'PROBLEM: the next kernel does not get memmap=4G!8G' --check
rm "$PRMEM_RESERVE_ROOT/sys/kernel/kexec_loaded"
echo 1 >"$PRMEM_RESERVE_ROOT/sys/kernel/kexec_crash_loaded"
says 1 'PROBLEM: the crash kernel is loaded, but not' --check
rm "$PRMEM_RESERVE_ROOT/sys/kernel/kexec_crash_loaded"
mkdir -p "$PRMEM_RESERVE_ROOT/etc/default/grub.d"
echo "GRUB_CMDLINE_LINUX='memmap=2G!8G'" >"$PRMEM_RESERVE_ROOT/etc/default/grub.d/prmem.cfg"
says 1 'PROBLEM: the next boot has 2G!8G' --check

# Debian's kexec-tools, and the file by which prmem-tools stop them.
rm -r "$PRMEM_RESERVE_ROOT/etc/default/grub.d"
mkdir -p "$PRMEM_RESERVE_ROOT/etc/init.d"
touch "$PRMEM_RESERVE_ROOT/etc/init.d/kexec-load"
echo 'LOAD_KEXEC=true' >"$PRMEM_RESERVE_ROOT/etc/default/kexec"
says 1 'PROBLEM: /etc/default/kexec: LOAD_KEXEC=true' --check
mkdir -p "$PRMEM_RESERVE_ROOT/etc/default/kexec.d"
cp "$top_srcdir/scripts/system/kexec-default" "$PRMEM_RESERVE_ROOT/etc/default/kexec.d/prmem"
says 0 'ok: a reboot goes through the firmware' --check

machine 'quiet memmap=4G!64G' <<-'END'
	100000000-1ffffffff : System RAM
END
says 1 'PROBLEM: memmap=4G!64G is on the command line, but' --check

# A range that this kernel made a block device of, because it does not accept
# what is in it: an info block, at its start or at one that it may have had.
region=$PRMEM_RESERVE_ROOT/sys/bus/nd/devices/ndbus0
mkdir -p "$region/region0/namespace0.0/block/pmem0" "$PRMEM_RESERVE_ROOT"/{dev,sys/class/block/pmem0}
echo e820 >"$region/provider"
echo 536870912 >"$region/region0/size"
echo 1048576 | tee "$region/region0/namespace0.0/block/pmem0/size" >"$PRMEM_RESERVE_ROOT/sys/class/block/pmem0/size"
truncate -s 512M "$PRMEM_RESERVE_ROOT/dev/pmem0"
for at in 0 384; do
	echo NVDIMM_DAX_INFO | dd of="$PRMEM_RESERVE_ROOT/dev/pmem0" bs=4096 seek=$((at * 256 + 1)) conv=notrunc status=none
	says 1 "the range holds an info block \(NVDIMM_DAX_INFO, ${at}M? behind its start\)" --namespace
	says 1 "PROBLEM: /dev/pmem0: its info block \(NVDIMM_DAX_INFO, ${at}M? behind" --check
	dd if=/dev/zero of="$PRMEM_RESERVE_ROOT/dev/pmem0" bs=4096 seek=$((at * 256 + 1)) count=1 conv=notrunc status=none
done
says 1 'ok: /dev/pmem0: no device-DAX node in it yet' --check

says 1 'unknown option' --nonsense
says 1 'too many' 1G 2G
says 1 'takes no argument' --namespace x
says 0 '^usage' --help
exit $errors
