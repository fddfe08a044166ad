# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034
# Shared by scripts/serve and scripts/test: what is needed, and getting it.

# What `./configure && make` needs on a fresh Debian 12.
build_packages=(
	autoconf automake libtool pkg-config make gcc libc6-dev perl
	nbdkit nbdkit-plugin-dev libpmem-dev liburcu-dev libisal-dev
	libblkid-dev libjson-c-dev libnl-genl-3-dev
)
# What a person uses next on a disk that is served.
client_packages=(libnbd-bin nbd-client)
# What the tests use beyond that.
test_packages=(
	binutils clang clang-format clang-tidy codespell cppcheck e2fsprogs file fio gcovr gdb jq libnbd-bin libnbd-dev procps
	python3 python3-libnbd qemu-utils shellcheck util-linux valgrind xz-utils
	# the virtual machine, and what runs in it; debian/
	busybox-static initramfs-tools-core kexec-tools kmod mmdebstrap ndctl nbd-client openssl qemu-system-x86 xfsprogs
	bash-completion debhelper dpkg-dev lintian systemd udev
)

# More options for apt-get, from who sources this.
apt_options=()

say() {
	printf '%s\n' "$*" >&2
}

die() {
	say "$(basename "$0"): $*"
	exit 1
}

# missing_packages NAME... - print those that are not installed.
missing_packages() {
	local p
	for p in "$@"; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || printf '%s\n' "$p"
	done
}

# install_packages NAME... - install what is missing and say so.
# Returns 1, and says why, when that cannot be done.
install_packages() {
	local missing root=() apt
	if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
		say "not a Debian system: not looking for missing packages"
		return 0
	fi
	mapfile -t missing < <(missing_packages "$@")
	[ ${#missing[@]} -gt 0 ] || return 0
	if [ -n "${PRMEM_NO_INSTALL-}" ]; then
		say "not installed, and PRMEM_NO_INSTALL is set: ${missing[*]}"
		return 1
	fi
	if [ "$(id -u)" -ne 0 ]; then
		if ! command -v sudo >/dev/null; then
			say "not installed, and there is no sudo; as root: apt-get install ${missing[*]}"
			return 1
		fi
		root=(sudo)
		[ -t 0 ] || root=(sudo -n)
	fi
	say "installing from Debian's packages: ${missing[*]}"
	apt=("${root[@]}" env DEBIAN_FRONTEND=noninteractive
		apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "${apt_options[@]}")
	# A fresh system has no package lists, an old one has stale ones.
	if "${apt[@]}" install --no-install-recommends "${missing[@]}" >/dev/null 2>&1; then
		return 0
	fi
	say "updating the package lists first"
	"${apt[@]}" update >/dev/null || say "apt-get update failed; trying all the same"
	if ! "${apt[@]}" install --no-install-recommends "${missing[@]}" >/dev/null; then
		say "could not install: ${missing[*]}"
		return 1
	fi
}
