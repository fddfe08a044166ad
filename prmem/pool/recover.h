/* SPDX-License-Identifier: BSD-3-Clause */
/* Ending what a crash interrupted. */
#ifndef PRMEM_RECOVER_H
#define PRMEM_RECOVER_H

#include "common/compiler.h"

struct prmem_pool;

/*
 * pool_recover() - end what a crash interrupted: free what lies behind
 * the end of a disk that was being shrunk.
 * Context: a writable open, after page_alloc_start().
 * Return: 0, or -errno; the pool is usable in any case.
 */
int pool_recover(struct prmem_pool *pool);

#endif
