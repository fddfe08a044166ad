/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "tools/prmemctl/ctl.h"

/* 4096, 512K, 1.5G, 2TiB */
bool
parse_size(const char *text, uint64_t *ret_bytes)
{
	static const char letters[] = "BKMGTPE";
	uint64_t whole = 0;
	unsigned int shift = 0;
	double part = 0, scale = 0.1;
	const char *p = text, *letter;

	if (*p < '0' || *p > '9')
		return false;
	for (; *p >= '0' && *p <= '9'; p++) {
		if (whole > (UINT64_MAX - 9) / 10)
			return false;
		whole = whole * 10 + (uint64_t)(*p - '0');
	}
	if (*p == '.') {
		if (p[1] < '0' || p[1] > '9')
			return false;
		for (p++; *p >= '0' && *p <= '9'; p++, scale /= 10)
			part += scale * (*p - '0');
	}
	if (*p != '\0') {
		letter = strchr(letters, *p >= 'a' && *p <= 'z' ? *p - 'a' + 'A' : *p);
		if (letter == NULL || *letter == '\0')
			return false;
		shift = 10 * (unsigned int)(letter - letters);
		p++;
		if (shift > 0 && (strcasecmp(p, "iB") == 0 || strcasecmp(p, "B") == 0))
			p += strlen(p);
	}
	if (*p != '\0' || (part > 0 && shift == 0) || whole >= (uint64_t)INT64_MAX >> shift)
		return false;
	*ret_bytes = (whole << shift) + (uint64_t)(part * (double)(UINT64_C(1) << shift) + 0.5);
	return true;
}

const char *
size_text(uint64_t bytes, char text[SIZE_TEXT_BYTES])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	unsigned int unit = 0;

	while (unit < 6 && bytes >> (10 * (unit + 1)) > 0)
		unit++;
	if ((bytes & ((UINT64_C(1) << (10 * unit)) - 1)) == 0)
		snprintf(text, SIZE_TEXT_BYTES, "%" PRIu64 " %s", bytes >> (10 * unit), units[unit]);
	else
		snprintf(text, SIZE_TEXT_BYTES, "%.1f %s", (double)bytes / (double)(UINT64_C(1) << (10 * unit)),
			 units[unit]);
	return text;
}

const char *
time_text(uint64_t ns, char text[SIZE_TEXT_BYTES])
{
	if (ns == 0)
		snprintf(text, SIZE_TEXT_BYTES, "-");
	else if (ns < 10000)
		snprintf(text, SIZE_TEXT_BYTES, "%.1fus", (double)ns / 1e3);
	else if (ns < 10000000)
		snprintf(text, SIZE_TEXT_BYTES, "%.0fus", (double)ns / 1e3);
	else if (ns < 10000000000)
		snprintf(text, SIZE_TEXT_BYTES, "%.0fms", (double)ns / 1e6);
	else
		snprintf(text, SIZE_TEXT_BYTES, "%.0fs", (double)ns / 1e9);
	return text;
}

const char *
date_text(uint64_t seconds, char text[SIZE_TEXT_BYTES])
{
	time_t t = (time_t)seconds;
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL || strftime(text, SIZE_TEXT_BYTES, "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
		snprintf(text, SIZE_TEXT_BYTES, "?");
	return text;
}
