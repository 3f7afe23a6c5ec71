/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "daemon/once.h"

#include <stdio.h>
#include <time.h>

#include "daemon/suspend.h"
#include "recon/report.h"

/* Transient failures get a few attempts of their back-off, 100 ms to a second; more is a daemon's work. */
#define PATIENCE_NS (5ull * 1000 * 1000 * 1000)

static void sleep_until(uint64_t ns)
{
	const struct timespec t = { .tv_sec = (time_t)(ns / 1000000000),
				    .tv_nsec = (long)(ns % 1000000000) };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) != 0)
		;
}

static void print_status(const struct status *s)
{
	cleanup(strbuf_done) struct strbuf text = { 0 };
	json_t *status = report_status(s, NULL, 0);

	render_status(status, &text);
	json_decref(status);
	(void)fputs(strbuf_get(&text), stdout);
	(void)fflush(stdout);
}

int once_run(const struct options *o, struct engine *g, bool *ret_converged, struct error *e)
{
	uint64_t start = engine_now_ns(), until, next;
	unsigned int dirty = RECON_DIRTY_FILES | RECON_DIRTY_KERNEL;
	const struct status *s;
	int r;

	if (suspend_load(o->run_dir, start, &until))
		recon_suspend(g->recon, until);
	for (;;) {
		r = engine_run(g, dirty, e);
		next = recon_next_ns(g->recon);
		s = recon_status(g->recon);
		if (!next || next > start + PATIENCE_NS || (r == 0 && s && s->converged))
			break;
		sleep_until(next);
		dirty = r < 0 ? dirty : RECON_DIRTY_KERNEL;
	}
	if (s)
		print_status(s);
	*ret_converged = r == 0 && s && s->converged && !recon_trouble(g->recon);
	return r;
}
