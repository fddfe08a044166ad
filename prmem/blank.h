/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Before a first format: is there nothing that it could destroy?
 */
#ifndef PRMEM_BLANK_H
#define PRMEM_BLANK_H

#include "common/compiler.h"
#include "common/pm.h"
#include "prmem/backing.h"
#include "prmem/prmem.h"

/*
 * blank_check() - no superblock is there: is nothing at all?
 * Reads only; a file as a whole but for its holes.
 * Return: 0; -EMEDIUMTYPE, and the error says what is there and the way out;
 *   or what the system said.
 */
MUST_CHECK int blank_check(const struct backing *backing, const struct pm *pm, const struct prmem_open_args *args,
			   struct prmem_error *err);

#endif
