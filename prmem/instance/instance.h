/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Named instances: finding, making, removing.
 */
#ifndef PRMEM_INSTANCE_H
#define PRMEM_INSTANCE_H

#include "prmem/instance/instance_types.h"

/* instance_find_locked() - by name, hidden ones left out.  Context: inst_lock.  Return: NULL if there is none. */
struct prmem_instance *instance_find_locked(struct directory *dir, const char *subsystem, const char *name);

/* instance_new() - the RAM of an instance that a record describes. Return: NULL for want of memory. */
struct prmem_instance *instance_new(struct prmem_pool *pool, uint32_t number, uint32_t rec_pfn,
				    const struct record_media *rec);
void instance_delete(struct prmem_instance *inst);

/* instance_put_locked() - delete a removed instance that nobody has any more.  Context: inst_lock. */
void instance_put_locked(struct prmem_instance *inst);

/* instance_link_locked() - put it in the list.  Context: inst_lock, or nobody else has the pool. */
void instance_link_locked(struct directory *dir, struct prmem_instance *inst);

/*
 * instance_create_locked() - make and publish an instance that @rec describes
 * (names, size, flags, description; the rest is filled in here).
 * Context: inst_lock.
 * Persistence: durable on return; there or not after a crash.
 * Return: 0, -ENOSPC, -EROFS, -EIO, -ENOMEM.
 */
MUST_CHECK int instance_create_locked(struct directory *dir, struct record_media *rec,
				      struct prmem_instance **ret_inst, struct prmem_error *err);

/*
 * instance_remove_locked() - remove an instance and free all that it holds;
 * without handles it is deleted.
 * Context: inst_lock, or nobody else has the pool.
 * Persistence: durable on return; there, or gone as a whole after a crash.
 * Return: 0, -EROFS, -EIO.
 */
MUST_CHECK int instance_remove_locked(struct prmem_instance *inst, struct prmem_error *err);

#endif
