/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include <unistd.h>

#include "cli/ask.h"
#include "kern/linux.h"
#include "recon/report.h"

static void print_features(const struct cli *c, const json_t *features)
{
	cleanup(strbuf_done) struct strbuf text = { 0 };

	if (c->json) {
		cli_print_json(features);
		return;
	}
	render_features(features, &text);
	cli_print_text(&text);
}

static int probe(const struct cli *c)
{
	const struct kern_linux_options o = { .bpffs_dir = c->bpffs_dir, .run_dir = c->run_dir };
	struct kern_linux *k = NULL;
	const struct feature *f;
	struct error e = { 0 };
	json_t *features;
	size_t n;

	if (kern_linux_new(&o, &k, &e) < 0)
		return cli_fail(c, EXIT_FAULT, "%s", e.text);
	f = kern_linux_features(k, &n);
	features = report_features(f, n);
	print_features(c, features);
	json_decref(features);
	kern_linux_free(k);
	return 0;
}

int command_features(struct cli *c)
{
	json_t *answer = NULL;
	int r;

	if (geteuid() == 0)
		return probe(c);
	r = ask(c, ASK_STATUS, "GetFeatures", NULL, &answer);
	if (r == EXIT_NO_DAEMON)
		cli_warn("root can probe the kernel without a daemon: run this with sudo");
	if (r == 0)
		print_features(c, json_object_get(answer, "features"));
	json_decref(answer);
	return r;
}
