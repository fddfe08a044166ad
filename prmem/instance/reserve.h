/* SPDX-License-Identifier: BSD-3-Clause */
/* What a reserved disk is promised. */
#ifndef PRMEM_RESERVE_H
#define PRMEM_RESERVE_H

#include <stdint.h>

struct prmem_instance;

/* instance_repromise() - pages of a reserved disk were freed: they are promised to it again. */
void instance_repromise(struct prmem_instance *inst, uint32_t nr);

/* instance_need_pages() - pages and nodes a disk of a size can need at most. */
uint64_t instance_need_pages(uint64_t size_bytes);

/* instance_still_needed() - how many more than it has a disk can need at most, when it is of a size. */
uint64_t instance_still_needed(const struct prmem_instance *inst, uint64_t size_bytes);

#endif
