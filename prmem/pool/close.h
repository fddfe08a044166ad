/* SPDX-License-Identifier: BSD-3-Clause */
/* The end of an open pool. */
#ifndef PRMEM_CLOSE_H
#define PRMEM_CLOSE_H

#include "common/compiler.h"

struct prmem_pool;

/* pool_destroy() - release what a pool holds in RAM; not its pm, not its lock; writes nothing. */
void pool_destroy(struct prmem_pool *pool);

#endif
