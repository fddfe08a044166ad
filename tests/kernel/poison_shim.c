/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Preloaded into the server: memory that fails while it is being copied.
 *
 * Real poison raises a machine check at the very load that touches it.  A
 * virtual machine cannot have that, but MADV_HWPOISON takes the kernel's whole
 * path from there on, with one difference: the signal comes at the call.  So
 * memcpy() is where the call is made, when a whole page that begins with the
 * marker in $PRMEM_TEST_POISON is copied out of a device-DAX mapping.  The
 * kernel poisons a page once; for later copies of it the same signal is sent
 * by hand, as the machine check would come again.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE_BYTES 4096ul
#define MAPPING_BYTES (2ul << 20)

static const char *marker;
static size_t marker_len;
static const void *poisoned; /* where, in this process */

void *memcpy(void *restrict to, const void *restrict from, size_t len);

static void
machine_check(const char *page)
{
	siginfo_t info = {.si_signo = SIGBUS, .si_code = BUS_MCEERR_AR};

	if (poisoned != page) {
		poisoned = page;
		if (madvise((void *)(uintptr_t)page, PAGE_BYTES, MADV_HWPOISON) == 0)
			return;
	}
	/* device-DAX reports the start of its mapping, not the page */
	info.si_addr = (void *)((uintptr_t)page & ~(MAPPING_BYTES - 1));
	syscall(SYS_rt_tgsigqueueinfo, getpid(), (pid_t)syscall(SYS_gettid), SIGBUS, &info);
}

__attribute__((constructor)) static void
learn_marker(void)
{
	marker = getenv("PRMEM_TEST_POISON");
	marker_len = marker ? strlen(marker) : 0;
}

void *
memcpy(void *restrict to, const void *restrict from, size_t len)
{
	if (marker_len > 0 && len == PAGE_BYTES && ((uintptr_t)from & (PAGE_BYTES - 1)) == 0 &&
	    memcmp(from, marker, marker_len) == 0)
		machine_check(from);
	return memmove(to, from, len);
}
