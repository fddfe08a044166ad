/* SPDX-License-Identifier: BSD-3-Clause */
#include "prmem/memory/uuid.h"

#include <errno.h>
#include <stdio.h>
#include <sys/random.h>

int
random_bytes(void *buf, size_t len_bytes)
{
	char *p = buf;

	while (len_bytes > 0) {
		ssize_t n = getrandom(p, len_bytes, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len_bytes -= (size_t)n;
	}
	return 0;
}

int
uuid_make(uint8_t ret_uuid[16])
{
	int r = random_bytes(ret_uuid, 16);

	if (r < 0)
		return r;
	ret_uuid[6] = (uint8_t)((ret_uuid[6] & 0x0f) | 0x40); /* version 4 */
	ret_uuid[8] = (uint8_t)((ret_uuid[8] & 0x3f) | 0x80); /* RFC 4122's variant */
	return 0;
}

void
uuid_format(const uint8_t uuid[16], char ret_text[UUID_TEXT_BYTES])
{
	char *p = ret_text;

	for (unsigned int i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*p++ = '-';
		p += snprintf(p, 3, "%02x", uuid[i]);
	}
}
