# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
#
# Library of the kernel scenarios, host side: boots a Debian kernel under QEMU
# with the host's root below a tmpfs, runs the scenario inside, and tells how
# it went.
#
# A scenario is one file.  It sources this library first, defines guest_1,
# guest_2, ... (what the machine runs; a new stage begins with each new
# kernel), may define host() for what happens outside of the machine, and ends
# with "vm_main".  The same file runs on both sides: VM_GUEST says where.
#
# Environment:
#   PRMEM_BUILDDIR     a tree that "make" has built (default: the current directory)
#   PRMEM_VM_CACHE     where kernels are kept (default: $PRMEM_BUILDDIR/vm-cache)
#   PRMEM_VM_KERNEL    Debian package of the kernel (default: what linux-image-amd64 depends on)
#   PRMEM_VM_ACCEL     kvm or tcg (default: kvm where a trial boot works)
#   PRMEM_VM_DEST      what "make install DESTDIR=" made already (default: made here)
#   PRMEM_VM_APPEND    more words for the kernel's command line, such as loglevel=7
#   PRMEM_VM_KEEP      keep the working directory

if [ -n "${VM_GUEST:-}" ]; then
	# shellcheck source=tests/kernel/guest.sh
	. "$VM_SRCDIR/guest.sh"
	return 0
fi

set -u
VM_SRCDIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
VM_SCENARIO=$(cd "$(dirname "$0")" && pwd)/$(basename "$0")
VM_NAME=$(basename "$0" .sh)
PRMEM_BUILDDIR=$(cd "${PRMEM_BUILDDIR:-.}" && pwd) || exit 1
VM_CACHE=${PRMEM_VM_CACHE:-$PRMEM_BUILDDIR/vm-cache}
VM_MEMORY=4G
VM_MEMMAP='memmap=512M!2G'
VM_APPEND=
VM_QEMU=()
VM_ROOT=/
VM_LIMIT=600 # seconds for the whole scenario
VM_PANIC_EXPECTED=

vm_say()
{
	printf '%s: %s\n' "$VM_NAME" "$*"
}

vm_skip()
{
	vm_say "SKIP: $*"
	exit 77
}

vm_fail()
{
	vm_say "FAIL: $*"
	exit 1
}

# The kernel that linux-image-amd64 stands for, or the one that was asked for.
vm_kernel_package()
{
	if [ -n "${PRMEM_VM_KERNEL:-}" ]; then
		echo "$PRMEM_VM_KERNEL"
	else
		apt-cache depends linux-image-amd64 2>/dev/null |
			awk '$1 == "Depends:" && $2 ~ /^linux-image-[0-9]/ { print $2; exit }'
	fi
}

# The newest of that series in the cache.
vm_kernel_kept()
{
	local dir

	for dir in "$VM_CACHE"/linux-image-6.1.*; do
		[ ! -e "$dir/done" ] || basename "$dir"
	done | sort -V | tail -n 1
}

# vm_fetch PACKAGE: unpack a kernel package into the cache.
vm_fetch()
{
	local package=$1 tmp

	[ -e "$VM_CACHE/$package/done" ] && return 0
	mkdir -p "$VM_CACHE"
	tmp=$(mktemp -d "$VM_CACHE/fetch.XXXXXX") || return 1
	if ! (cd "$tmp" && apt-get -q download "$package" >log 2>&1 && dpkg -x ./*.deb root); then
		tail -n 3 "$tmp/log" >&2
		rm -rf "$tmp"
		return 1
	fi
	depmod -b "$tmp/root" "${package#linux-image-}" 2>/dev/null
	rm -f "$tmp"/*.deb "$tmp/log"
	touch "$tmp/root/done"
	rm -rf "${VM_CACHE:?}/$package"
	mv "$tmp/root" "$VM_CACHE/$package"
	rmdir "$tmp"
}

# vm_initramfs PACKAGE: busybox and the modules that reach the shares.
vm_initramfs()
{
	local package=$1 version=${1#linux-image-} tree module name

	tree=$VM_DIR/initramfs
	mkdir -p "$tree"/{bin,modules,proc,sys,dev}
	cp "$(command -v busybox)" "$tree/bin/busybox"
	install -m 755 "$VM_SRCDIR/init" "$tree/init"
	for module in virtio_pci 9pnet_virtio 9p overlay; do
		modprobe -d "$VM_CACHE/$package" -S "$version" --show-depends "$module"
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r module; do
		name=$(basename "$module")
		cp "$module" "$tree/modules/$name"
		case $name in
		*.xz) xz -d "$tree/modules/$name"; name=${name%.xz} ;;
		esac
		echo "$name" >>"$tree/modules/order"
	done
	(cd "$tree" && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1) >"$VM_DIR/share/initrd.img"
	cp "$VM_CACHE/$package/boot/vmlinuz-$version" "$VM_DIR/share/vmlinuz"
	VM_MODULES=$VM_CACHE/$package/usr/lib/modules
	[ -d "$VM_MODULES" ] || VM_MODULES=$VM_CACHE/$package/lib/modules
}

# KVM may be there and still not boot (nested, or a stripped CPU): try once
# and remember the answer in the cache.
vm_accel()
{
	local log=$VM_DIR/accel.log tcg="-accel tcg,thread=multi -cpu max" kvm="-accel kvm -cpu host,-arch-capabilities"

	case ${PRMEM_VM_ACCEL:-} in
	tcg) echo "$tcg"; return ;;
	kvm) echo "$kvm"; return ;;
	esac
	[ -w /dev/kvm ] || { echo "$tcg"; return; }
	if [ ! -e "$VM_CACHE/accel" ]; then
		# shellcheck disable=SC2086
		timeout -k 1 10 qemu-system-x86_64 $kvm -m 512M -display none -no-reboot -serial "file:$log" \
			-kernel "$VM_DIR/share/vmlinuz" -append "console=ttyS0 panic=-1" </dev/null >/dev/null 2>&1
		if grep -q 'Linux version' "$log" 2>/dev/null; then
			echo "$kvm" >"$VM_CACHE/accel"
		else
			echo "$tcg" >"$VM_CACHE/accel"
		fi
	fi
	cat "$VM_CACHE/accel"
}

# vm_install DIR: what "make install" of the tree puts where, as a layer above
# the host's root.
vm_install()
{
	mkdir -p "$1"
	if [ -n "${PRMEM_VM_DEST:-}" ]; then
		cp -a "$PRMEM_VM_DEST/." "$1/"
		return
	fi
	make -C "$PRMEM_BUILDDIR" -s install DESTDIR="$1" >"$VM_DIR/install.log" 2>&1 || {
		tail -n 5 "$VM_DIR/install.log"
		return 1
	}
	vm_merge_usr "$1"
	vm_libraries "$1"
}

# Where the loader looks without ldconfig, which takes seconds in the machine.
vm_libraries()
{
	local dir

	dir=$1/usr/lib/$(uname -m)-linux-gnu
	mkdir -p "$dir"
	find "$1" -name 'libprmem.so.*' ! -path "$dir/*" -exec cp -a {} "$dir/" \;
}

# A directory /lib in the layer would hide the host's symlink of that name.
vm_merge_usr()
{
	local dir

	for dir in lib sbin bin; do
		if [ -L "/$dir" ] && [ -d "$1/$dir" ] && [ ! -L "$1/$dir" ]; then
			mkdir -p "$1/usr/$dir"
			cp -a "$1/$dir/." "$1/usr/$dir/" && rm -rf "${1:?}/$dir"
		fi
	done
}

# vm_setup_machine: what does not depend on the tree.
vm_setup_machine()
{
	local package tool

	for tool in qemu-system-x86_64 busybox depmod modprobe apt-get dpkg; do
		command -v "$tool" >/dev/null || vm_skip "$tool is not installed"
	done
	package=$(vm_kernel_package)
	if [ -z "$package" ] || ! vm_fetch "$package"; then
		[ -z "${PRMEM_VM_KERNEL:-}" ] || vm_skip "cannot download $package"
		# an older one that is here already does as well
		package=$(vm_kernel_kept)
		[ -n "$package" ] || vm_skip "cannot download a kernel (apt-get update?)"
	fi
	VM_KERNEL=$package
	VM_DIR=$(mktemp -d "${TMPDIR:-/tmp}/prmem-vm.XXXXXX") || exit 1
	trap vm_cleanup EXIT
	trap 'exit 130' INT TERM
	mkdir "$VM_DIR/share"
	vm_initramfs "$package"
	VM_ACCEL=$(vm_accel)
}

# vm_setup: everything up to the first boot.
vm_setup()
{
	vm_setup_machine
	vm_install "$VM_DIR/dest" || vm_fail "make install failed in $PRMEM_BUILDDIR"
	install -m 755 "$VM_SRCDIR/guest-main" "$VM_DIR/share/"
	cp "$VM_SRCDIR/vm.sh" "$VM_SRCDIR/guest.sh" "$VM_SRCDIR/../../README" "$VM_SCENARIO" "$VM_DIR/share/"
	echo 1 >"$VM_DIR/share/stage"
	{
		printf 'export %s=%q\n' VM_SCENARIO "/run/vm/${VM_SCENARIO##*/}" VM_SRCDIR /run/vm VM_NAME "$VM_NAME" \
			PRMEM_BUILDDIR "$PRMEM_BUILDDIR" PRMEM_VM_NEWER "${PRMEM_VM_NEWER:-}" VM_ACCEL "$VM_ACCEL"
		printf 'VM_ARGS=(%s)\n' "${VM_ARGS[*]@Q}"
	} >"$VM_DIR/share/env"
	VM_DEADLINE=$((SECONDS + VM_LIMIT))
	vm_say "$VM_KERNEL, ${VM_ACCEL%% -cpu*}, at most $VM_LIMIT s"
}

vm_cleanup()
{
	vm_kill
	if [ -n "${PRMEM_VM_KEEP:-}" ]; then
		vm_say "kept: $VM_DIR"
	else
		rm -rf "$VM_DIR"
	fi
}

# vm_start: boot, go on at once.
vm_start()
{
	local left=$((VM_DEADLINE - SECONDS))

	[ "$left" -gt 0 ] || vm_fail "out of time"
	rm -f "$VM_DIR/share/status" "$VM_DIR/pid"
	: >"$VM_DIR/console"
	# nowatchdog: it would bark at a machine that is only slow; hung tasks are
	# still found.  norandmaps: QEMU translates code once for each address that
	# it runs at, and a store into a page that it has translated walks all of
	# these.  With libraries at random addresses every process pays for the
	# first, and the kernel after a kexec, which clears such pages by bytes,
	# takes minutes for one.
	# shellcheck disable=SC2086
	timeout -k 1 "$left" qemu-system-x86_64 $VM_ACCEL -m "$VM_MEMORY" -smp 2 -nodefaults -display none \
		-no-reboot -pidfile "$VM_DIR/pid" -serial stdio -device virtio-rng-pci \
		-monitor "unix:$VM_DIR/monitor,server=on,wait=off" \
		-kernel "$VM_DIR/share/vmlinuz" -initrd "$VM_DIR/share/initrd.img" \
		-append "console=ttyS0 loglevel=4 panic=-1 nowatchdog norandmaps $VM_MEMMAP $VM_APPEND ${PRMEM_VM_APPEND:-}" \
		-virtfs local,path="$VM_ROOT",mount_tag=host,security_model=none,readonly=on,multidevs=remap \
		-virtfs local,path="$VM_DIR/dest/",mount_tag=dest,security_model=none,readonly=on,multidevs=remap \
		-virtfs local,path="$VM_MODULES",mount_tag=modules,security_model=none,readonly=on,multidevs=remap \
		-virtfs local,path="$VM_DIR/share",mount_tag=vm,security_model=none,multidevs=remap \
		"${VM_QEMU[@]}" </dev/null >>"$VM_DIR/console" 2>&1 &
	VM_PID=$!
	tail -n +1 -s 0.2 --pid="$VM_PID" -f "$VM_DIR/console" 2>/dev/null | sed -u 's/\r$//; s/^/  | /' &
	VM_TAIL=$!
}

# vm_wait: until the machine is off; fails unless its stage ended well.
vm_wait()
{
	wait "$VM_PID" 2>/dev/null
	wait "$VM_TAIL" 2>/dev/null
	VM_PID=
	if [ -z "$VM_PANIC_EXPECTED" ] && grep -qE 'Kernel panic|BUG: ' "$VM_DIR/console"; then
		vm_fail "the kernel panicked"
	fi
	[ -e "$VM_DIR/share/status" ] || vm_fail "the machine ended without a word, or ran out of time"
	[ "$(cat "$VM_DIR/share/status")" = 77 ] && vm_skip "said by the machine"
	[ "$(cat "$VM_DIR/share/status")" = 0 ] || vm_fail "failed in the machine"
}

# vm_await MARK: until the guest has called "mark MARK".
vm_await()
{
	while ! grep -q "^VM-MARK $1" "$VM_DIR/console"; do
		kill -0 "$VM_PID" 2>/dev/null || vm_fail "the machine ended before it said $1"
		[ "$SECONDS" -lt "$VM_DEADLINE" ] || vm_fail "out of time waiting for $1"
		sleep 0.1
	done
}

# vm_kill: pull the plug.
vm_kill()
{
	[ -n "${VM_PID:-}" ] || return 0
	[ -s "$VM_DIR/pid" ] && kill -KILL "$(cat "$VM_DIR/pid")" 2>/dev/null
	kill -KILL "$VM_PID" 2>/dev/null
	wait "$VM_PID" 2>/dev/null
	wait "$VM_TAIL" 2>/dev/null
	VM_PID=
}

# vm_stage N: what the next boot runs.
vm_stage()
{
	echo "$1" >"$VM_DIR/share/stage"
}

host()
{
	vm_start
	vm_wait
}

vm_main()
{
	VM_ARGS=("$@")
	vm_setup
	host
	vm_say "PASS ($SECONDS s)"
}
