/* SPDX-License-Identifier: BSD-3-Clause */
/* One added region: its header, and the file or device that it lies in. */
#ifndef PRMEM_REGION_FILE_H
#define PRMEM_REGION_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"
#include "prmem/format/region_format.h"
#include "prmem/prmem.h"

struct owner_lock;
struct pm;

/* What holds an added region open, besides its mapping. */
struct region_file {
	struct owner_lock *lock;
	char path[256];
};

/* region_header_is_valid() - magic and CRC. */
bool region_header_is_valid(const struct region_media *header);

/* region_header_crc() - the CRC that it should carry. */
uint32_t region_header_crc(const struct region_media *header);

/* region_file_open() - lock and map a further device or file. */
struct region_opened {
	struct pm *pm;
	struct region_file *file;
	bool was_created, was_empty; /* a new file: by this open; without content before it */
};

/*
 * region_file_open() - open, lock and map what may become, or is, a region.
 * @new_size_bytes: make a file of this size if there is none; 0: do not
 * Return: 0, or as prmem_open().
 */
MUST_CHECK int region_file_open(const char *path, uint64_t new_size_bytes, bool read_only,
				struct region_opened *ret_opened, struct prmem_error *err);
void region_file_close(const struct region_opened *opened);

/* region_file_undo() - close it, for it has not become a region: a new file is as it was before, or gone. */
void region_file_undo(const struct region_opened *opened, const char *path);

#endif
