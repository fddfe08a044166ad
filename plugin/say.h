/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the plugin says to people.
 */
#ifndef PRMEM_PLUGIN_SAY_H
#define PRMEM_PLUGIN_SAY_H

#include <stdint.h>

/* say() - one line for the person who starts the server, or its log later. */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* say_to_log() - from now on the server runs: lines are for its log. */
void say_to_log(void);

#define SIZE_TEXT_BYTES 48
const char *size_text(uint64_t bytes, char text[SIZE_TEXT_BYTES]);

#endif
