/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stdio.h>

#include "tools/prmemctl/ctl.h"
#include "tools/prmemctl/file_end.h"

int
end_failed(struct file_end *end, const char *fmt, ...)
{
	va_list ap;

	if (interrupted || end->why[0] != '\0')
		return -1;
	va_start(ap, fmt);
	vsnprintf(end->why, sizeof end->why, fmt, ap);
	va_end(ap);
	return -1;
}
