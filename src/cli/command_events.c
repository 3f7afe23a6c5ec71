/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include <stdio.h>

#include "cli/ask.h"
#include "recon/report.h"

static void print_events(const struct cli *c, const json_t *events)
{
	cleanup(strbuf_done) struct strbuf text = { 0 };
	const json_t *event;
	size_t i;

	json_array_foreach(events, i, event) {
		if (c->json) {
			(void)json_dumpf(event, stdout, JSON_COMPACT);
			(void)putchar('\n');
		} else {
			render_event(event, &text);
		}
	}
	cli_print_text(&text);
	(void)fflush(stdout);
}

int command_events(struct cli *c)
{
	cleanup(varlink_client_freep) struct varlink_client *client = NULL;
	struct varlink_answer answer = { 0 };
	struct error e = { 0 };
	bool more = true;
	int r = ask_start(c, ASK_STATUS, "GetEvents", json_pack("{s:b}", "follow", c->follow),
			  c->follow, &client, &e);

	while (r == 0 && more) {
		r = varlink_client_receive(client, -1, &answer, &e);
		if (r < 0)
			break;
		if (answer.error[0])
			r = ask_refused(c, &answer);
		else
			print_events(c, json_object_get(answer.parameters, "events"));
		more = answer.continues;
		varlink_answer_done(&answer);
	}
	return r < 0 ? ask_failed(c, ASK_STATUS, &e) : r;
}
