/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading a page of a disk. */
#ifndef PRMEM_DISK_READ_H
#define PRMEM_DISK_READ_H

#include <stdint.h>

#include "common/compiler.h"
#include "xarray/xarray.h"

struct prmem_instance;

/*
 * disk_copy_page() - copy a page and check the copy against its entry.
 * Context: read lock held.
 * Return: 0, -EIO.
 */
MUST_CHECK int disk_copy_page(struct prmem_instance *inst, uint32_t idx, xa_entry_t entry, void *ret_page);

#endif
