/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/plain.h"

#include <stdbool.h>
#include <stdio.h>

static bool
is_beyond_ascii(const unsigned char *p)
{
	return p[0] == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f;
}

void
plain_text(char *text)
{
	for (unsigned char *p = (unsigned char *)text; *p != '\0'; p++) {
		if (is_beyond_ascii(p))
			p[0] = p[1] = '?';
		else if (*p < ' ' || *p == 0x7f)
			*p = '?';
	}
}

void
plain_put_json(const char *json)
{
	/* Those below a space are escaped already: what is left of them is white space between values. */
	for (const unsigned char *p = (const unsigned char *)json; *p != '\0'; p++) {
		if (is_beyond_ascii(p))
			printf("\\u%04x", (unsigned int)*++p);
		else if (*p == 0x7f)
			printf("\\u%04x", (unsigned int)*p);
		else
			putchar(*p);
	}
	putchar('\n');
}
