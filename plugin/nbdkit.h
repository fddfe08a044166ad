/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nbdkit's header, with the version of its interface that this plugin uses.
 */
#ifndef PRMEM_PLUGIN_NBDKIT_H
#define PRMEM_PLUGIN_NBDKIT_H

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#endif
