/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What prmem-nbd says to people, and how its parts hand errors up.
 */
#ifndef PRMEM_NBD_SAY_H
#define PRMEM_NBD_SAY_H

#include <stdbool.h>

#define PRINTF_FORMAT(f, a) __attribute__((format(printf, f, a)))

/* One lower-case line: what happened, to which thing, what to do. */
struct why {
	char text[512];
};

/* why_set() - fill @why (which may be NULL) and return @code, a negative errno. */
int why_set(struct why *why, int code, const char *fmt, ...) PRINTF_FORMAT(3, 4);

/*
 * say_to_syslog() - from now on messages go to the system log: the process
 * has left its terminal.
 */
void say_to_syslog(void);

void say_error(const char *fmt, ...) PRINTF_FORMAT(1, 2);
void say_note(const char *fmt, ...) PRINTF_FORMAT(1, 2);

/*
 * say_to_manager() - tell the service manager, where there is one ($NOTIFY_SOCKET).
 * @state: as sd_notify(3) takes it
 */
void say_to_manager(const char *state);

#endif
