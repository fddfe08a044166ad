/* SPDX-License-Identifier: BSD-3-Clause */
/* What a pool says to the person who opened it. */
#ifndef PRMEM_NOTICE_H
#define PRMEM_NOTICE_H

#include "common/compiler.h"

struct prmem_pool;

/* pool_notice() - tell the person who opened the pool one line. */
void pool_notice(struct prmem_pool *pool, const char *fmt, ...) PRINTF_LIKE(2, 3);

#define LOST_MEMORY_WHY "some of its memory went bad, and with it a part of its index; copy the data away"

/* pool_set_read_only() - for good, with a reason; the first one stays. */
void pool_set_read_only(struct prmem_pool *pool, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
