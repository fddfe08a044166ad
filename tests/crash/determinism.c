/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A clock and a random generator that are the same in every run, by the
 * linker's --wrap: a seed then repeats a run to the byte.
 */
#include "tests/crash/determinism.h"

#include <stdint.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>

#include "common/mix64.h"

static uint64_t state;

time_t __wrap_time(time_t *ret_time);
ssize_t __wrap_getrandom(void *buf, size_t len_bytes, unsigned int flags);

void
determinism_start(uint64_t seed)
{
	state = mix64(seed ^ UINT64_C(0x243f6a8885a308d3));
}

time_t
__wrap_time(time_t *ret_time)
{
	if (ret_time)
		*ret_time = 1700000000;
	return 1700000000;
}

ssize_t
__wrap_getrandom(void *buf, size_t len_bytes, unsigned int flags)
{
	char *p = buf;

	(void)flags;
	for (size_t i = 0; i < len_bytes; i += 8) {
		uint64_t word;

		state += UINT64_C(0x9e3779b97f4a7c15);
		word = mix64(state);
		memcpy(p + i, &word, len_bytes - i < 8 ? len_bytes - i : 8);
	}
	return (ssize_t)len_bytes;
}
