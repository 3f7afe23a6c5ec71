/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "cli/ask.h"

#include <errno.h>

const char *ask_path(const struct cli *c, enum ask_socket socket)
{
	return arena_printf(c->arena, "%s/%s", c->run_dir,
			    socket == ASK_CONTROL ? CONTROL_SOCKET : STATUS_SOCKET);
}

int ask_start(const struct cli *c, enum ask_socket socket, const char *method, json_t *parameters,
	      bool more, struct varlink_client **ret, struct error *e)
{
	const char *name = arena_printf(c->arena, VARLINK_INTERFACE ".%s", method);
	cleanup(varlink_client_freep) struct varlink_client *client = NULL;
	int r = varlink_client_open(ask_path(c, socket), &client, e);

	if (r < 0) {
		json_decref(parameters);
		return r;
	}
	r = varlink_client_call(client, name, parameters, more, e);
	/* Hung up before we asked: why is in an answer that it has left for us. */
	if (r < 0 && r != -EPIPE)
		return r;
	*ret = take_ptr(client);
	return 0;
}

bool ask_is_absent(int code)
{
	return code == -ENOENT || code == -ECONNREFUSED || code == -ENOTDIR;
}

int ask_failed(const struct cli *c, enum ask_socket socket, const struct error *e)
{
	if (ask_is_absent(e->code))
		return cli_fail(c, EXIT_NO_DAEMON,
				"no daemon: nobody listens at %s; start it with 'systemctl start "
				"bpfshare', or name its run directory with --run-dir",
				ask_path(c, socket));
	if (e->code == -EACCES && socket == ASK_CONTROL)
		return cli_fail(
			c, EXIT_FAULT,
			"%s; run this as root or as a member of the control group ('control: "
			"{group: ...}' in bpfshared.yaml)",
			e->text);
	if (e->code == -ECONNRESET || e->code == -EPIPE)
		return cli_fail(c, EXIT_NO_DAEMON, "%s: it was stopped", e->text);
	return cli_fail(c, EXIT_FAULT, "%s", e->text);
}

int ask_refused(const struct cli *c, const struct varlink_answer *answer)
{
	const char *message = json_string_value(json_object_get(answer->parameters, "message"));
	const char *parameter = json_string_value(json_object_get(answer->parameters, "parameter"));

	if (str_ends(answer->error, ".PermissionDenied"))
		return cli_fail(c, EXIT_FAULT, "the daemon refuses: %s",
				message ? message : "permission denied");
	if (str_ends(answer->error, ".NotReady"))
		return cli_fail(c, EXIT_FAULT, "the daemon has no status yet%s%s",
				message ? ": " : "; it is still starting", message ? message : "");
	if (str_ends(answer->error, ".MethodNotFound"))
		return cli_fail(c, EXIT_FAULT,
				"the running daemon is of another version and does not "
				"know this; restart it");
	if (message)
		return cli_fail(c, EXIT_FAULT, "%s", message);
	if (str_ends(answer->error, ".InvalidParameter"))
		return cli_fail(c, EXIT_FAULT,
				"the daemon does not take this value of '%s': it is out of range, "
				"or the daemon is of another version",
				parameter ? parameter : "a parameter");
	if (str_ends(answer->error, ".TooManyConnections"))
		return cli_fail(c, EXIT_FAULT,
				"the daemon's limit of connections is reached, that of this user "
				"or that of all users together (see bpfshared(8)); close some, "
				"such as those of 'bpfsharectl events --follow', and try again");
	if (str_ends(answer->error, ".Busy"))
		return cli_fail(c, EXIT_FAULT,
				"the daemon has more answers to deliver than it holds in memory: "
				"its clients do not read them; try again");
	return cli_fail(c, EXIT_FAULT, "the daemon refuses with the error %s", answer->error);
}

int ask(const struct cli *c, enum ask_socket socket, const char *method, json_t *parameters,
	json_t **ret)
{
	cleanup(varlink_client_freep) struct varlink_client *client = NULL;
	struct varlink_answer answer = { 0 };
	struct error e = { 0 };
	int r = ask_start(c, socket, method, parameters, false, &client, &e);

	if (r == 0)
		r = varlink_client_receive(client, -1, &answer, &e);
	if (r < 0)
		return ask_failed(c, socket, &e);
	if (answer.error[0])
		r = ask_refused(c, &answer);
	else
		*ret = json_incref(answer.parameters);
	varlink_answer_done(&answer);
	return r;
}
