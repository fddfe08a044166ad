/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/prmem-nbd/device.h"
#include "tools/prmem-nbd/session.h"

#define LET_GO_TIMEOUT_MS 15000

/* Whether @what is the export, the identifier or the address of what is attached. */
static bool
is_meant(const struct state *state, const char *what)
{
	struct target target;
	bool meant = false;
	char *uri;

	if (strcmp(what, state->export_name) == 0 || strcmp(what, state->identifier) == 0)
		return true;
	if (!strchr(what, '/') || target_parse(what, NULL, &target, NULL) < 0)
		return false;
	uri = target_uri(&target);
	meant = uri && strcmp(uri, state->uri) == 0;
	free(uri);
	target_free(&target);
	return meant;
}

static int
find_export(const char *what, struct why *why)
{
	int indices[STATES_MAX], nr = state_list(indices, STATES_MAX), found = -ENOENT, i;

	for (i = 0; i < nr; i++) {
		struct state state;
		bool meant;

		if (!device_is_connected(indices[i]) || state_read(indices[i], &state, NULL) < 0)
			continue;
		meant = is_meant(&state, what);
		state_free(&state);
		if (!meant)
			continue;
		if (found >= 0)
			return why_set(why, -EINVAL,
				       "%s: attached more than once (/dev/nbd%d and /dev/nbd%d): name the device", what,
				       found, indices[i]);
		found = indices[i];
	}
	if (found < 0)
		return why_set(why, -ENOENT, "%s: nothing of this name is attached", what);
	return found;
}

/* The monitor sees for itself that the device has gone; wait for it. */
static void
wait_for_monitor(int index)
{
	int waited_ms;
	pid_t pid;

	for (waited_ms = 0; waited_ms < LET_GO_TIMEOUT_MS && state_monitor(index) > 0; waited_ms += 20)
		usleep(20000);
	pid = state_monitor(index);
	if (pid > 0) {
		say_note("process %d does not notice that /dev/nbd%d has gone: ending it", (int)pid, index);
		kill(pid, SIGTERM);
	}
	state_remove(index);
	device_announce(index);
}

static int
detach(const char *what, bool force, struct why *why)
{
	struct netlink nl;
	int index = device_index(what), lock_fd, r;

	if (index < 0 && strncmp(what, "/dev/", 5) == 0)
		return why_set(why, -ENOENT, "%s: no such nbd device", what);
	if (index < 0) {
		index = find_export(what, why);
		if (index < 0)
			return index;
	}
	r = netlink_open(&nl, why);
	if (r < 0)
		return r;
	lock_fd = r = state_lock_all(why);
	if (r < 0)
		goto out;
	if (!device_is_connected(index))
		r = why_set(why, -ENOENT, "/dev/nbd%d: not attached", index);
	else if (!force && device_is_used(index))
		r = why_set(why, -EBUSY,
			    "/dev/nbd%d: in use: unmount it first (--force detaches it all the same, and "
			    "whoever uses it gets I/O errors)",
			    index);
	else
		r = netlink_disconnect(&nl, index, why);
	if (r == 0 || r == -ENOENT)
		wait_for_monitor(index);
	close(lock_fd);
out:
	netlink_close(&nl);
	return r < 0 ? r : 0;
}

int
detach_run(const char *what, bool force)
{
	struct why why;

	if (detach(what, force, &why) < 0) {
		say_error("%s", why.text);
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
