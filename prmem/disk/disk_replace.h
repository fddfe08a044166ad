/* SPDX-License-Identifier: BSD-3-Clause */
/* Ending a replacement that was cut off. */
#ifndef PRMEM_DISK_REPLACE_H
#define PRMEM_DISK_REPLACE_H

#include "common/compiler.h"

struct prmem_instance;

/*
 * instance_finish_replacing() - forget what an instance has replaced, which is
 * gone by now.
 * Context: inst_lock, or nobody else has the pool.
 */
MUST_CHECK int instance_finish_replacing(struct prmem_instance *inst);

#endif
