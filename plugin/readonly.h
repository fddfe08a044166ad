/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PRMEM_PLUGIN_READONLY_H
#define PRMEM_PLUGIN_READONLY_H

#include <stdbool.h>

/* started_read_only() - was nbdkit started with -r? */
bool started_read_only(void);

#endif
