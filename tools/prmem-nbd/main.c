/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * prmem-nbd - attach a disk of an NBD server as /dev/nbdN, and keep it attached
 * when the server restarts.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/prmem-nbd/device.h"
#include "tools/prmem-nbd/session.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unknown"
#endif

#define EXIT_USAGE 2

enum {
	OPTION_DEVICE = 256,
	OPTION_CONNECTIONS,
	OPTION_TIMEOUT,
	OPTION_REATTACH_TIMEOUT,
	OPTION_CHECK_INTERVAL,
	OPTION_BLOCK_SIZE,
	OPTION_READ_ONLY,
	OPTION_FOREGROUND,
	OPTION_FORCE,
	OPTION_JSON,
	OPTION_HELP,
	OPTION_VERSION,
};

static const struct option options[] = {
	{"device", required_argument, NULL, OPTION_DEVICE},
	{"connections", required_argument, NULL, OPTION_CONNECTIONS},
	{"timeout", required_argument, NULL, OPTION_TIMEOUT},
	{"reattach-timeout", required_argument, NULL, OPTION_REATTACH_TIMEOUT},
	{"check-interval", required_argument, NULL, OPTION_CHECK_INTERVAL},
	{"block-size", required_argument, NULL, OPTION_BLOCK_SIZE},
	{"read-only", no_argument, NULL, OPTION_READ_ONLY},
	{"foreground", no_argument, NULL, OPTION_FOREGROUND},
	{"force", no_argument, NULL, OPTION_FORCE},
	{"json", no_argument, NULL, OPTION_JSON},
	{"help", no_argument, NULL, OPTION_HELP},
	{"version", no_argument, NULL, OPTION_VERSION},
	{0},
};

static const char help[] = "usage: prmem-nbd attach [OPTION...] URI|SOCKET|POOL/DISK [EXPORT]\n"
			   "       prmem-nbd detach [--force] DEVICE|EXPORT\n"
			   "       prmem-nbd list [--json]\n"
			   "       prmem-nbd status [--json] DEVICE\n"
			   "\n"
			   "Attaches a disk of an NBD server as /dev/nbdN, prints the device, and stays to\n"
			   "connect it again whenever the server restarts.\n"
			   "\n"
			   "  --device DEVICE         attach as this device (default: the first free one)\n"
			   "  --connections N         connections to the server, 1 to 64 (default: 2)\n"
			   "  --timeout S             seconds until an unanswered request is sent again\n"
			   "                          (default: 10)\n"
			   "  --reattach-timeout S    seconds that requests wait for a server that is away\n"
			   "                          before they fail (default: 300)\n"
			   "  --check-interval S      seconds between two looks at the disk's size, 0 for\n"
			   "                          none (default: 10)\n"
			   "  --block-size BYTES      512, 1024, 2048 or 4096 (default: 4096, or less where\n"
			   "                          the disk's size is not a multiple of it)\n"
			   "  --read-only             allow no writes\n"
			   "  --foreground            do not go to the background, for service managers\n"
			   "  --force                 detach what is in use\n"
			   "  --json                  print JSON\n"
			   "  --help, --version       print this, or the version\n"
			   "\n"
			   "The manual is prmem-nbd(8).\n";

/* What all verbs together understand; each says what it does not take. */
struct command_line {
	struct attach_args attach;
	bool force;
	bool json;
	bool seen[2]; /* an option of attach; an option of another verb */
};

static int
parse_number(const char *name, const char *text, unsigned long min, unsigned long max, unsigned int *ret_value)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || *end || end == text || text[strspn(text, "0123456789")] || value < min || value > max) {
		say_error("--%s=%s: give a number from %lu to %lu", name, text, min, max);
		return -EINVAL;
	}
	*ret_value = (unsigned int)value;
	return 0;
}

static int
parse_option(int option, const char *name, const char *arg, struct command_line *cl)
{
	switch (option) {
	case OPTION_DEVICE:
		cl->attach.index = device_index(arg);
		if (cl->attach.index < 0) {
			say_error("--device=%s: give the name of an nbd device, such as /dev/nbd3", arg);
			return -EINVAL;
		}
		return 0;
	case OPTION_CONNECTIONS:
		return parse_number(name, arg, 1, CONNECTIONS_MAX, &cl->attach.nr_connections);
	case OPTION_TIMEOUT:
		return parse_number(name, arg, 1, 3600, &cl->attach.timeout_s);
	case OPTION_REATTACH_TIMEOUT:
		return parse_number(name, arg, 1, 30 * 24 * 3600, &cl->attach.reattach_timeout_s);
	case OPTION_CHECK_INTERVAL:
		return parse_number(name, arg, 0, 24 * 3600, &cl->attach.check_interval_s);
	case OPTION_BLOCK_SIZE:
		if (parse_number(name, arg, 512, 4096, &cl->attach.block_bytes) < 0)
			return -EINVAL;
		if (cl->attach.block_bytes & (cl->attach.block_bytes - 1)) {
			say_error("--block-size=%s: give 512, 1024, 2048 or 4096", arg);
			return -EINVAL;
		}
		return 0;
	case OPTION_READ_ONLY:
		cl->attach.read_only = true;
		return 0;
	case OPTION_FOREGROUND:
		cl->attach.foreground = true;
		return 0;
	case OPTION_FORCE:
		cl->force = true;
		return 0;
	case OPTION_JSON:
		cl->json = true;
		return 0;
	default:
		return -EINVAL;
	}
}

static int
usage(const char *complaint)
{
	say_error("%s; \"prmem-nbd --help\" tells more", complaint);
	return EXIT_USAGE;
}

static int
run_verb(const char *verb, int nr_args, char **args, const struct command_line *cl)
{
	bool for_attach = cl->seen[0];

	if (strcmp(verb, "attach") == 0) {
		struct attach_args attach = cl->attach;

		if (cl->seen[1])
			return usage("attach takes neither --force nor --json");
		if (nr_args < 1 || nr_args > 2)
			return usage("attach takes a server and an export");
		attach.where = args[0];
		attach.export_name = nr_args == 2 ? args[1] : NULL;
		return attach_run(&attach);
	}
	if (strcmp(verb, "detach") == 0) {
		if (for_attach || cl->json)
			return usage("detach takes no option but --force");
		if (nr_args != 1)
			return usage("detach takes one device or export");
		return detach_run(args[0], cl->force);
	}
	if (strcmp(verb, "list") == 0) {
		if (for_attach || cl->force)
			return usage("list takes no option but --json");
		if (nr_args != 0)
			return usage("list takes no argument");
		return list_run(cl->json);
	}
	if (strcmp(verb, "status") == 0) {
		if (for_attach || cl->force)
			return usage("status takes no option but --json");
		if (nr_args != 1)
			return usage("status takes one device");
		return status_run(args[0], cl->json);
	}
	say_error("%s: unknown verb: there are attach, detach, list and status", verb);
	return EXIT_USAGE;
}

int
main(int argc, char **argv)
{
	struct command_line cl = {
		.attach = {.index = -1, .timeout_s = 10, .reattach_timeout_s = 300, .check_interval_s = 10},
	};
	int option, which = 0;

	while ((option = getopt_long(argc, argv, "", options, &which)) != -1) {
		if (option == OPTION_HELP) {
			fputs(help, stdout);
			return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
		}
		if (option == OPTION_VERSION) {
			puts("prmem-nbd " PACKAGE_VERSION);
			return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
		}
		if (option == '?' || parse_option(option, options[which].name, optarg, &cl) < 0)
			return EXIT_USAGE;
		cl.seen[option == OPTION_FORCE || option == OPTION_JSON] = true;
	}
	if (optind >= argc)
		return usage("which verb? attach, detach, list or status");
	return run_verb(argv[optind], argc - optind - 1, argv + optind + 1, &cl);
}
