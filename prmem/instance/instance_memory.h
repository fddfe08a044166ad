/* SPDX-License-Identifier: BSD-3-Clause */
/* How the arrays of the engine get their memory. */
#ifndef PRMEM_INSTANCE_MEMORY_H
#define PRMEM_INSTANCE_MEMORY_H

#include "xarray/xa_memory.h"

/* How the engine's arrays get their memory: @memory is the instance, or the directory. */
extern const struct xa_memory_ops instance_memory_ops;
extern const struct xa_memory_ops directory_memory_ops;

#endif
