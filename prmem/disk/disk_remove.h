/* SPDX-License-Identifier: BSD-3-Clause */
/* Ending a removal that was cut off. */
#ifndef PRMEM_DISK_REMOVE_H
#define PRMEM_DISK_REMOVE_H

#include "common/compiler.h"

struct prmem_instance;

/*
 * instance_finish_removal() - end what a crash cut off: a removal with a wipe,
 * or the going of one that was replaced or that was never finished.
 * Context: open; nobody else has the pool.
 */
MUST_CHECK int instance_finish_removal(struct prmem_instance *inst);

#endif
