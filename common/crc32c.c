/* SPDX-License-Identifier: BSD-3-Clause */
#include "common/crc32c.h"

#include <isa-l/crc.h>
#include <isa-l/mem_routines.h>

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
	return ~crc;
}

bool
mem_is_zero(const void *buf, size_t len_bytes)
{
	/* Most pages differ from zero in their first word: ask that first. */
	if (len_bytes >= sizeof(uint64_t)) {
		uint64_t first;

		__builtin_memcpy(&first, buf, sizeof first);
		if (first != 0)
			return false;
	}
	return isal_zero_detect((void *)(uintptr_t)buf, len_bytes) == 0;
}
