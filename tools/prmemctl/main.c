/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * prmemctl - manage pools and disks, whether a server has them or not.
 */
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "tools/plain.h"
#include "tools/prmemctl/ctl.h"

int
main(int argc, char **argv)
{
	const struct command *command;
	struct args args;
	char *pool, *shown;
	int status;

	setlocale(LC_CTYPE, "");
	if (argc < 2) {
		say_error("usage: prmemctl VERB [OPTION...] POOL [ARGUMENT...]; prmemctl --help lists the verbs");
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
		command = argc > 2 ? find_command(argv[2]) : NULL;
		if (command != NULL)
			print_command_help(command);
		else
			print_help();
		return EXIT_OK;
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		printf("prmemctl %s\n", prmem_version());
		return EXIT_OK;
	}
	command = find_command(argv[1]);
	if (command == NULL) {
		say_error("%.60s is no verb; prmemctl --help lists them", or_quotes(argv[1]));
		return EXIT_USAGE;
	}
	if (parse_args(command, argc - 1, argv + 1, &args, &status) < 0)
		return status;
	pool = find_pool(args.pool_name, &args);
	if (pool == NULL) {
		free(args.config);
		return exit_for(&args, -1);
	}
	shown = strdup(pool);
	if (shown == NULL) {
		say_error("out of memory");
		status = EXIT_FAILED;
		goto out;
	}
	plain_text(shown);
	args.pool = pool;
	args.shown = shown;
	catch_signals();
	status = command->run(&args);
out:
	free(shown);
	free(pool);
	free(args.config);
	if ((fflush(stdout) != 0 || ferror(stdout)) && status == EXIT_OK)
		status = failed(&args, -1, "standard output cannot be written");
	return status;
}
