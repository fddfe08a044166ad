/* SPDX-License-Identifier: BSD-3-Clause */
/* Pram disks: what their files share. */
#ifndef PRMEM_DISK_TYPES_H
#define PRMEM_DISK_TYPES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"
#include "prmem/prmem.h"

struct prmem_instance;

/* Pages that one pass of a long request handles; what is on the stack depends on it. */
#define DISK_BATCH_PAGES 256u

struct prmem_disk {
	struct prmem_instance *inst;
	uint64_t size_bytes; /* when it was opened */
	bool read_only;
};

/* The part of a request that one page has. */
struct disk_part {
	uint32_t idx;
	uint32_t start; /* in the page, bytes */
	uint32_t len_bytes;
};

static inline struct disk_part
disk_part_at(uint64_t off, uint64_t len_bytes)
{
	struct disk_part part;

	part.idx = (uint32_t)(off >> PRMEM_PAGE_SHIFT);
	part.start = (uint32_t)(off & (PRMEM_PAGE_SIZE - 1));
	part.len_bytes = (uint32_t)MIN(len_bytes, PRMEM_PAGE_SIZE - part.start);
	return part;
}

#endif
