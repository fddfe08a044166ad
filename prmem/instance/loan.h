/* SPDX-License-Identifier: BSD-3-Clause */
/* Loans that the engine takes itself. */
#ifndef PRMEM_LOAN_H
#define PRMEM_LOAN_H

#include <stdint.h>

#include "common/compiler.h"
#include "xarray/xarray.h"

struct object;
struct prmem_instance;

/*
 * instance_pin() - take a loan of what the index holds, unchecked.
 * instance_unpin() - end it.
 * Return: 0; -ENODATA where there is nothing or a value, -EIO, -ENOMEM, -ESHUTDOWN.
 */
MUST_CHECK int instance_pin(struct prmem_instance *inst, uint32_t idx, xa_entry_t *ret_entry, struct object *ret_obj);
void instance_unpin(struct prmem_instance *inst, xa_entry_t entry);

#endif
