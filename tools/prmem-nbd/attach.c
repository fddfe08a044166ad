/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <linux/nbd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools/prmem-nbd/device.h"
#include "tools/prmem-nbd/session.h"

#define NR_CONNECTIONS_DEFAULT 2u
#define BLOCK_BYTES_DEFAULT 4096u
#define TAKE_OVER_TIMEOUT_MS 15000

/*
 * A background attach is two processes: the one that was called waits until
 * the device is ready and prints it, its child stays.
 */
struct report {
	int fd; /* to the waiting parent, or -1 in the foreground */
};

static int
become_background(struct report *report)
{
	char line[64];
	int fds[2];
	ssize_t n;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0) {
		say_error("cannot make a pipe: %s", strerror(errno));
		return -1;
	}
	fflush(NULL);
	pid = fork();
	if (pid < 0) {
		say_error("cannot fork: %s", strerror(errno));
		return -1;
	}
	if (pid == 0) {
		close(fds[0]);
		report->fd = fds[1];
		setsid();
		return 0;
	}
	close(fds[1]);
	do
		n = read(fds[0], line, sizeof(line) - 1);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		exit(EXIT_FAILURE); /* the child has said why */
	line[n] = '\0';
	printf("%s\n", line);
	exit(fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* The device is ready: tell whoever waits for it. */
static void
report_ready(struct report *report, int index, bool stays)
{
	char line[64];
	int null_fd;

	snprintf(line, sizeof(line), "/dev/nbd%d", index);
	if (report->fd < 0) {
		printf("%s\n", line);
		fflush(stdout);
		say_to_manager("READY=1\nSTATUS=attached");
		return;
	}
	/* The parent may have been killed meanwhile; the device is there all the same. */
	signal(SIGPIPE, SIG_IGN);
	if (write(report->fd, line, strlen(line)) < 0)
		say_error("%s is attached, but nobody waits for it", line);
	close(report->fd);
	if (!stays)
		return;
	say_to_syslog();
	if (chdir("/") < 0)
		say_error("cannot change to /: %s", strerror(errno));
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null_fd >= 0) {
		dup2(null_fd, STDIN_FILENO);
		dup2(null_fd, STDOUT_FILENO);
		dup2(null_fd, STDERR_FILENO);
		close(null_fd);
	}
}

/* The largest block that the disk is a multiple of, so that no byte of it is out of reach. */
static uint32_t
choose_block(uint64_t size_bytes, uint32_t min_block)
{
	uint32_t block = BLOCK_BYTES_DEFAULT;

	while (block > 512 && block > min_block && size_bytes % block)
		block /= 2;
	return block;
}

static int
check_export(const struct attach_args *args, const struct export_info *info, uint32_t block_bytes, struct why *why)
{
	if (info->min_block > block_bytes)
		return why_set(why, -EINVAL, "the server wants blocks of %u bytes: use --block-size", info->min_block);
	if (info->size_bytes < block_bytes)
		return why_set(why, -EINVAL, "the disk has %llu bytes, less than one block",
			       (unsigned long long)info->size_bytes);
	if (args->nr_connections > 1 && !(info->flags & NBD_FLAG_CAN_MULTI_CONN))
		return why_set(why, -EINVAL, "the server allows one connection a client: use --connections 1");
	return 0;
}

static int
fill_state(struct state *state, const struct attach_args *args, const struct target *target,
	   const struct export_info *info, struct why *why)
{
	uint32_t block = args->block_bytes ? args->block_bytes : choose_block(info->size_bytes, info->min_block);
	int r = check_export(args, info, block, why);

	if (r < 0)
		return r;
	state->uri = target_uri(target);
	state->export_name = strdup(info->name);
	state->identifier = identity(target, info);
	if (!state->uri || !state->export_name || !state->identifier)
		return why_set(why, -ENOMEM, "out of memory");
	state->pid = getpid();
	state->block_bytes = block;
	state->size_bytes = info->size_bytes / block * block;
	state->nr_connections = args->nr_connections ? args->nr_connections : NR_CONNECTIONS_DEFAULT;
	if (!(info->flags & NBD_FLAG_CAN_MULTI_CONN))
		state->nr_connections = 1;
	state->timeout_s = args->timeout_s;
	state->reattach_timeout_s = args->reattach_timeout_s;
	state->read_only = args->read_only || (info->flags & NBD_FLAG_READ_ONLY);
	state->since_s = (int64_t)time(NULL);
	if (info->size_bytes % block)
		say_note("the last %u bytes of the disk are not a whole block and cannot be reached",
			 (unsigned int)(info->size_bytes % block));
	return 0;
}

static int
lock_new_device(struct session *s, struct why *why)
{
	pid_t pid;

	/* A monitor of a device that was detached behind its back may need a moment to see it. */
	for (int tries = 0;; tries++) {
		s->lock_fd = state_lock_device(s->state.index, &pid, why);
		if (s->lock_fd != -EBUSY || tries >= 100)
			break;
		usleep(50000);
	}
	return s->lock_fd < 0 ? s->lock_fd : 0;
}

/* The kernel takes the connections; from here on the device exists. */
static int
attach_new(struct session *s, const struct attach_args *args, const struct export_info *info, struct why *why)
{
	struct netlink_connect nc = {
		.index = args->index,
		.size_bytes = s->state.size_bytes,
		.block_bytes = s->state.block_bytes,
		.server_flags = info->flags | (s->state.read_only ? NBD_FLAG_READ_ONLY : 0),
		.timeout_s = args->timeout_s,
		.dead_timeout_s = args->reattach_timeout_s,
		.identifier = s->state.identifier,
	};
	int fds[CONNECTIONS_MAX], r;
	unsigned int i;

	r = links_open(&s->target, s->state.identifier, s->state.nr_connections, s->links, NULL, why);
	if (r < 0)
		return r;
	s->nr_links = (unsigned int)r;
	if (s->nr_links < s->state.nr_connections)
		return why_set(why, -ECONNRESET, "the server took only %u of %u connections", s->nr_links,
			       s->state.nr_connections);
	for (i = 0; i < s->nr_links; i++)
		fds[i] = s->links[i].fd;
	nc.fds = fds;
	nc.nr_fds = s->nr_links;
	r = netlink_connect(&s->nl, &nc, &s->state.index, why);
	if (r < 0)
		return r;
	r = lock_new_device(s, why);
	if (r == 0) {
		device_tune(s->state.index);
		r = device_try(s->state.index, s->state.block_bytes, why);
	}
	if (r == 0) {
		s->state.nr_live = s->nr_links;
		r = state_write(&s->state, why);
	}
	if (r < 0)
		(void)netlink_disconnect(&s->nl, s->state.index, NULL);
	return r;
}

/* A service that starts while a monitor in the background is at work takes its place. */
static int
take_over(int index, pid_t pid, struct why *why)
{
	int waited_ms;

	say_note("/dev/nbd%d: taking over from process %d", index, (int)pid);
	kill(pid, SIGTERM);
	for (waited_ms = 0; waited_ms < TAKE_OVER_TIMEOUT_MS; waited_ms += 50) {
		if (state_monitor(index) != pid)
			return 0;
		usleep(50000);
	}
	return why_set(why, -EBUSY, "/dev/nbd%d: process %d does not let go of it", index, (int)pid);
}

/*
 * The disk is attached already.
 * Return: 1 when a monitor is at work on it, 0 when this process now is, or a
 *   negative errno.
 */
static int
attach_again(struct session *s, const struct attach_args *args, int index, struct why *why)
{
	struct state old;
	pid_t pid = state_monitor(index);
	int r;

	if (args->index >= 0 && args->index != index)
		return why_set(why, -EBUSY, "the disk is attached as /dev/nbd%d already", index);
	if (pid > 0 && !args->foreground) {
		s->state.index = index;
		return 1;
	}
	if (pid > 0) {
		r = take_over(index, pid, why);
		if (r < 0)
			return r;
	}
	s->state.index = index;
	/* What the kernel was told then holds, not what is asked for now. */
	if (state_read(index, &old, NULL) == 0) {
		s->state.nr_connections = old.nr_connections;
		s->state.block_bytes = old.block_bytes;
		s->state.timeout_s = old.timeout_s;
		s->state.reattach_timeout_s = old.reattach_timeout_s;
		s->state.since_s = old.since_s;
		s->state.read_only = old.read_only;
		state_free(&old);
	}
	s->state.size_bytes = device_size(index);
	s->nr_unknown = s->state.nr_connections;
	r = lock_new_device(s, why);
	if (r < 0)
		return r;
	/* Connections may have died while nobody looked after them. */
	r = links_offer(s, s->state.nr_connections, why);
	if (r == -EINVAL)
		return why_set(why, -EBUSY, "/dev/nbd%d: was detached by force, and is still in use: unmount it",
			       index);
	if (r < 0)
		return r;
	s->state.nr_live = s->nr_links + s->nr_unknown;
	return state_write(&s->state, why);
}

/* The server is away: whether it is one whose disk is attached and looked after, and will be again when it is back. */
static bool
is_waited_for(struct session *s)
{
	char *uri = target_uri(&s->target);
	int index = uri ? state_find_uri(uri) : -ENOENT;

	free(uri);
	if (index < 0 || !device_is_connected(index) || state_monitor(index) == 0)
		return false;
	s->state.index = index;
	return true;
}

/* Return: 1 when there is nothing more to do, 0 when this process is the monitor, or a negative errno. */
static int
attach_device(struct session *s, const struct attach_args *args, struct why *why)
{
	struct export_info *info = malloc(sizeof(*info));
	int lock_fd = -1, index, r;

	if (!info)
		return why_set(why, -ENOMEM, "out of memory");
	r = handshake_open(&s->target, HANDSHAKE_ASK, HANDSHAKE_TIMEOUT_MS, info, why);
	if (r < 0 && !args->foreground && is_waited_for(s))
		r = 1;
	if (r != 0)
		goto out;
	/* Pin the default export: another disk may be the default after a restart. */
	free(s->target.export_name);
	s->target.export_name = strdup(info->name);
	if (!s->target.export_name) {
		r = why_set(why, -ENOMEM, "out of memory");
		goto out;
	}
	r = fill_state(&s->state, args, &s->target, info, why);
	if (r == 0)
		r = netlink_open(&s->nl, why);
	if (r < 0)
		goto out;
	lock_fd = r = state_lock_all(why);
	if (r < 0)
		goto out;
	index = device_find(s->state.identifier);
	r = index >= 0 ? attach_again(s, args, index, why) : attach_new(s, args, info, why);
	close(lock_fd);
out:
	free(info);
	return r;
}

int
attach_run(const struct attach_args *args)
{
	struct session *s = calloc(1, sizeof(*s));
	struct report report = {.fd = -1};
	struct why why;
	int r;

	if (!s) {
		say_error("out of memory");
		return EXIT_FAILURE;
	}
	s->lock_fd = -1;
	s->check_interval_s = args->check_interval_s;
	r = target_parse(args->where, args->export_name, &s->target, &why);
	if (r == 0 && !args->foreground && become_background(&report) < 0)
		return EXIT_FAILURE;
	if (r == 0)
		r = attach_device(s, args, &why);
	if (r < 0) {
		say_error("%s", why.text);
		return EXIT_FAILURE;
	}
	report_ready(&report, s->state.index, r == 0);
	if (r == 1)
		return EXIT_SUCCESS;
	r = monitor_run(s);
	state_free(&s->state);
	target_free(&s->target);
	netlink_close(&s->nl);
	free(s);
	return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
