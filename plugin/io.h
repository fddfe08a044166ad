/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Requests, as nbdkit's callbacks of the same names.
 */
#ifndef PRMEM_PLUGIN_IO_H
#define PRMEM_PLUGIN_IO_H

#include <stdint.h>

#include "plugin/nbdkit.h"

/* -D prmem.io=1: every request is written to the debug log. */
extern NBDKIT_DLL_PUBLIC int prmem_debug_io;

int io_pread(void *handle, void *buf, uint32_t count, uint64_t offset, uint32_t flags);
int io_pwrite(void *handle, const void *buf, uint32_t count, uint64_t offset, uint32_t flags);
int io_flush(void *handle, uint32_t flags);
int io_trim(void *handle, uint32_t count, uint64_t offset, uint32_t flags);
int io_zero(void *handle, uint32_t count, uint64_t offset, uint32_t flags);
int io_extents(void *handle, uint32_t count, uint64_t offset, uint32_t flags, struct nbdkit_extents *extents);
int io_cache(void *handle, uint32_t count, uint64_t offset, uint32_t flags);

#endif
