/* SPDX-License-Identifier: BSD-3-Clause */
#include "common/crc32c.h"

#include <isa-l/crc.h>
#include <isa-l/mem_routines.h>

/*
 * ISA-L leaves the upper halves of the vector registers in use when it
 * returns.  Until they are cleared every SSE instruction of other code waits
 * for the CRC that was computed last: a third of the time of a random read.
 */
#ifdef __x86_64__
__attribute__((target("avx"))) static void
clear_upper_halves(void)
{
	__builtin_ia32_vzeroupper();
}
#endif

static inline void
leave_isal(void)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("avx"))
		clear_upper_halves();
#endif
}

uint32_t
crc32c(uint32_t crc, const void *buf, size_t len_bytes)
{
	/* ISA-L takes an int and leaves both inversions to the caller. */
	const unsigned char *p = buf;

	crc = ~crc;
	while (len_bytes > 0) {
		int n = len_bytes > (1 << 30) ? 1 << 30 : (int)len_bytes;

		/* The parameter is not const in ISA-L 2.30; it is only read. */
		crc = crc32_iscsi((unsigned char *)(uintptr_t)p, n, crc);
		p += n;
		len_bytes -= (size_t)n;
	}
	leave_isal();
	return ~crc;
}

bool
mem_is_zero(const void *buf, size_t len_bytes)
{
	bool is_zero;

	/* Most pages differ from zero in their first word: ask that first. */
	if (len_bytes >= sizeof(uint64_t)) {
		uint64_t first;

		__builtin_memcpy(&first, buf, sizeof first);
		if (first != 0)
			return false;
	}
	is_zero = isal_zero_detect((void *)(uintptr_t)buf, len_bytes) == 0;
	leave_isal();
	return is_zero;
}
