/* SPDX-License-Identifier: BSD-3-Clause */
/* Making a disk. */
#ifndef PRMEM_DISK_CREATE_H
#define PRMEM_DISK_CREATE_H

#include <stdint.h>

#include "common/compiler.h"
#include "prmem/prmem.h"

struct prmem_instance;

/*
 * disk_create_locked() - check what is asked for and make the instance.
 * @flags: RECORD_FLAG_UNFINISHED, or 0
 * Context: inst_lock.
 * Persistence, Return: as prmem_disk_create().
 */
MUST_CHECK int disk_create_locked(struct prmem_pool *pool, const struct prmem_disk_args *args, uint32_t flags,
				  struct prmem_instance **ret_inst, struct prmem_error *err);

#endif
