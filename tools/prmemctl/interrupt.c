/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/prmemctl/ctl.h"

volatile sig_atomic_t interrupted;

/* The second one ends the program at once. */
static void
on_signal(int number)
{
	(void)number;
	interrupted = 1;
}

void
catch_signals(void)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
	const struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
	const struct sigaction ignore = {.sa_handler = SIG_IGN};

	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		sigaction(numbers[i], &action, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}
