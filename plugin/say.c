/* SPDX-License-Identifier: BSD-3-Clause */
#include "plugin/say.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

#include "plugin/nbdkit.h"

static bool to_log;

void
say(const char *fmt, ...)
{
	char line[600];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	/* Before the fork it is not an error, and somebody is at the terminal. */
	if (to_log)
		nbdkit_error("%s", line);
	else
		fprintf(stderr, "nbdkit: prmem: %s\n", line);
}

void
say_to_log(void)
{
	to_log = true;
}

const char *
size_text(uint64_t bytes, char text[SIZE_TEXT_BYTES])
{
	static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	unsigned int unit = 0;

	while (unit + 1 < sizeof(units) / sizeof(units[0]) && bytes >> (10 * (unit + 1)) > 0)
		unit++;
	if (bytes == 1)
		snprintf(text, SIZE_TEXT_BYTES, "1 byte");
	else if ((bytes & ((UINT64_C(1) << (10 * unit)) - 1)) == 0)
		snprintf(text, SIZE_TEXT_BYTES, "%" PRIu64 " %s", bytes >> (10 * unit), units[unit]);
	else
		snprintf(text, SIZE_TEXT_BYTES, "%.1f %s (%" PRIu64 " bytes)",
			 (double)bytes / (double)(UINT64_C(1) << (10 * unit)), units[unit], bytes);
	return text;
}
