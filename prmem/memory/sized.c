/* SPDX-License-Identifier: BSD-3-Clause */
#include "prmem/memory/sized.h"

#include <errno.h>
#include <string.h>

#include "common/crc32c.h"
#include "prmem/memory/error.h"

int
sized_take(void *known, size_t known_bytes, const void *from, size_t from_bytes, struct prmem_error *err)
{
	size_t nr = MIN(known_bytes, from_bytes);

	if (from_bytes <= sizeof(void *))
		return error_set(err, -EINVAL, "a struct of %zu bytes was handed over: that is no more than a pointer",
				 from_bytes);
	if (!mem_is_zero((const char *)from + nr, from_bytes - nr))
		return error_set(err, -E2BIG,
				 "the program asks for something that this libprmem does not know: install the version "
				 "that the program was built with, or a later one");
	memset(known, 0, known_bytes);
	memcpy(known, from, nr);
	return 0;
}

void
sized_fill(void *ret, size_t ret_bytes, const void *known, size_t known_bytes)
{
	size_t nr = MIN(ret_bytes, known_bytes);

	memcpy(ret, known, nr);
	memset((char *)ret + nr, 0, ret_bytes - nr);
}
