/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The pool.
 */
#ifndef PRMEM_PLUGIN_START_H
#define PRMEM_PLUGIN_START_H

#include <stdbool.h>

#include <prmem.h>

/* The pool, from .get_ready to .cleanup; NULL otherwise.  exports_end() sets it so under a lock. */
extern struct prmem_pool *the_pool;

/* start_pool() - open the pool, make the disks that are missing.  Return: 0; -1, and said why. */
int start_pool(bool read_only);

#endif
