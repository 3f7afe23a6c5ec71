/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "daemon/manager.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"
#include "daemon/control.h"
#include "daemon/methods.h"
#include "daemon/notify.h"
#include "daemon/suspend.h"
#include "daemon/watch_files.h"
#include "daemon/watch_netns.h"
#include "daemon/watch_pins.h"
#include "daemon/watch_run.h"

#define SECOND_US         (1000ull * 1000)
#define SETTLE_MOST_US    SECOND_US /* after this time, events that keep coming wait no longer */
#define SETTLE_DEFAULT_US (50ull * 1000)
#define ACCURACY_US       1000

struct manager {
	const struct options *options;
	struct engine *engine;
	sd_event *event;
	sd_event_source *settle, *resync, *retry, *watchdog;
	struct watch_links *links;
	struct watch_netns *netns;
	struct watch_mounts *mounts;
	struct watch_files *files;
	struct watch_pins *pins;
	struct watch_run *run;
	struct control *control;
	struct fresh *fresh;
	struct manager_answer status; /* as asked for most often; until the next pass */

	unsigned int dirty;
	uint64_t dirty_since;    /* µs; of the first event of a burst, 0: there is none */
	uint64_t runs, last_run; /* µs */
	uint64_t operations;     /* as of the last pass */
	uint64_t watchdog_us;
	uint32_t resync_s;
	bool purge;               /* asked for */
	bool suspended;           /* and the file in the run directory says so */
	uint64_t suspended_until; /* ns, 0: until resumed */
	bool ready;               /* the service manager knows that we are up */
	bool reloading;
	struct error fatal;
};

static uint64_t now_us(void)
{
	return engine_now_ns() / 1000;
}

static void arm(sd_event_source *timer, uint64_t due_us)
{
	(void)sd_event_source_set_time(timer, due_us);
	(void)sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
}

/* --- asking for a pass ------------------------------------------------------------ */

void manager_request(struct manager *m, unsigned int dirty)
{
	const struct settings *s = recon_settings(m->engine->recon);
	uint64_t settle = s ? s->settle_ms * 1000ull : SETTLE_DEFAULT_US, now = now_us();

	m->dirty |= dirty;
	if (!m->dirty_since)
		m->dirty_since = now;
	arm(m->settle, MIN(now + settle, m->dirty_since + SETTLE_MOST_US));
}

void manager_request_now(struct manager *m, unsigned int dirty)
{
	m->dirty |= dirty;
	m->dirty_since = 1; /* long ago: whatever else happens, this burst has lasted long enough */
	arm(m->settle, 0);
}

void manager_reload(struct manager *m)
{
	manager_request_now(m, RECON_DIRTY_FILES | RECON_DIRTY_KERNEL | RECON_DIRTY_RETRY);
}

int manager_confirm(struct manager *m, const char *token, size_t *ret_count, struct error *e)
{
	const struct plan *p = recon_plan(m->engine->recon);
	int r = recon_confirm(m->engine->recon, token, e);

	*ret_count = p ? p->held_count : 0;
	if (r == 0) /* with the newest files: what they say now may be something else */
		manager_request_now(m, RECON_DIRTY_FILES | RECON_DIRTY_KERNEL);
	return r;
}

int manager_suspend(struct manager *m, uint64_t seconds, struct error *e)
{
	uint64_t until = seconds ? engine_now_ns() + seconds * 1000 * 1000 * 1000 : 0;
	int r = suspend_save(m->options->run_dir, until, e);

	recon_suspend(m->engine->recon, until);
	m->suspended = true;
	m->suspended_until = until;
	manager_request_now(m, RECON_DIRTY_KERNEL);
	return r;
}

static void suspend_end(struct manager *m)
{
	m->suspended = false;
	suspend_clear(m->options->run_dir);
}

void manager_resume(struct manager *m)
{
	suspend_end(m);
	recon_resume(m->engine->recon);
	manager_request_now(m, RECON_DIRTY_FILES | RECON_DIRTY_KERNEL);
}

void manager_purge(struct manager *m)
{
	m->purge = true;
	manager_request_now(m, RECON_DIRTY_KERNEL);
}

/* --- after a pass ------------------------------------------------------------------- */

static void settings_follow(struct manager *m)
{
	const struct settings *s = recon_settings(m->engine->recon);
	enum log_level level;

	if (!s)
		return;
	if (!m->options->has_log_level && s->log_level &&
	    log_level_parse(s->log_level, &level) == 0)
		log_set_level(level);
	control_set_group(m->control, s->control_group);
}

/* A minute, say, give or take a tenth, so that the nodes of a cluster do not work in step. */
static void resync_arm(struct manager *m, bool fired)
{
	const struct settings *s = recon_settings(m->engine->recon);
	uint64_t period = s ? s->resync_s * SECOND_US : 0;

	if (!s || (!fired && m->resync_s == s->resync_s))
		return;
	m->resync_s = s->resync_s;
	if (period)
		arm(m->resync,
		    now_us() + period * 9 / 10 + period / 5 * (uint64_t)(random() % 1024) / 1024);
	else
		(void)sd_event_source_set_enabled(m->resync, SD_EVENT_OFF);
}

static void retry_arm(struct manager *m)
{
	uint64_t next = recon_next_ns(m->engine->recon);

	if (next)
		arm(m->retry, next / 1000 + 1);
	else
		(void)sd_event_source_set_enabled(m->retry, SD_EVENT_OFF);
}

static void share_paths(const struct status *s, struct arena *a, struct string_list *ret)
{
	LIST(const char *) list = { 0 };

	for (size_t i = 0; s && i < s->share_count; i++)
		for (size_t k = 0; k < s->shares[i].target_count; k++)
			if (s->shares[i].targets[k].path)
				*LIST_ADD(a, &list) = s->shares[i].targets[k].path;
	*ret = (struct string_list){ list.v, list.n };
}

static bool program_is_for_tc(const struct program_decl *p)
{
	for (size_t i = 0; i < p->attach_count; i++)
		if (p->attach[i].hook == HOOK_TC)
			return true;
	return false;
}

/* Declared, or there still. */
static bool uses_tc(const struct generation *g, const struct status *s)
{
	for (size_t i = 0; s && i < s->chain_count; i++)
		if (s->chains[i].hook == HOOK_TC)
			return true;
	for (size_t i = 0; g && i < g->desired.object_count; i++)
		for (size_t k = 0; k < g->desired.objects[i].program_count; k++)
			if (program_is_for_tc(&g->desired.objects[i].programs[k]))
				return true;
	return false;
}

/* What is watched only now may have changed between the look at it and the watch: look again. */
static void watch_follow(struct manager *m)
{
	cleanup(arena_freep) struct arena *a = arena_new();
	const struct generation *g = recon_generation(m->engine->recon);
	struct watch_files_wanted want = { .conf_dirs = m->options->conf_dirs,
					   .settings = m->options->settings };
	const struct observed_netns *netns;
	struct string_list shares;
	size_t netns_count;
	bool tc = uses_tc(g, recon_status(m->engine->recon));

	if (g) {
		want.desired = &g->desired;
		source_watch_paths(g->source, a, &want.paths);
	} else {
		want.paths = want.conf_dirs;
	}
	share_paths(recon_status(m->engine->recon), a, &shares);
	if (watch_files_set(m->files, &want))
		manager_request(m, RECON_DIRTY_FILES);
	if (watch_pins_set(m->pins, &shares))
		manager_request(m, RECON_DIRTY_KERNEL);
	netns = recon_netns(m->engine->recon, &netns_count);
	if (watch_netns_set(m->netns, netns, netns_count, tc))
		manager_request(m, RECON_DIRTY_KERNEL);
	if (watch_links_set_tc(m->links, tc))
		manager_request(m, RECON_DIRTY_KERNEL);
}

/* What is removed between the watch and the look makes one more pass. */
static void sockets_follow(struct manager *m)
{
	watch_run_refresh(m->run);
	if (control_restore(m->control))
		watch_run_refresh(m->run); /* their directories may be new as well */
}

static void answer_forget(struct manager *m)
{
	free(take_ptr(m->status.text));
	m->status.size = 0;
}

/* Work takes much more memory than looking does, which is all that most passes do. */
static void memory_follow(struct manager *m)
{
	uint64_t operations = recon_operations(m->engine->recon);

#ifdef __GLIBC__
	if (operations != m->operations || m->runs == 1)
		(void)malloc_trim(0);
#endif
	m->operations = operations;
}

/* One that was refused suspends nothing. */
static bool is_suspended(const struct manager *m)
{
	const struct status *s = recon_status(m->engine->recon);

	return s && s->suspended;
}

/* After a purge nothing comes back before `resume`; and a suspension can end by itself. */
static void suspend_follow(struct manager *m, bool purged)
{
	struct error e = { 0 };

	if (purged) {
		m->suspended = true;
		m->suspended_until = 0;
		if (suspend_save(m->options->run_dir, 0, &e) < 0)
			log_warning("%s", e.text);
	} else if (m->suspended && m->suspended_until && m->suspended_until <= engine_now_ns()) {
		suspend_end(m);
	}
}

static void tell(struct manager *m)
{
	const struct recon *r = m->engine->recon;
	cleanup(freep) char *text = notify_summary(recon_status(r), recon_trouble(r));

	if (!m->ready || m->reloading)
		notify_ready(text);
	else
		notify_status(text);
	m->ready = true;
	m->reloading = false;
	notify_watchdog();
}

/* --- the pass ------------------------------------------------------------------------ */

static void manager_reconcile(struct manager *m)
{
	unsigned int dirty = m->dirty;
	bool purge = m->purge;
	struct error e = { 0 };
	int r;

	m->dirty = 0;
	m->dirty_since = 0;
	m->purge = false;
	(void)sd_event_source_set_enabled(m->settle, SD_EVENT_OFF);
	watch_netns_release(m->netns);
	if (watch_files_refresh(m->files))
		dirty |= RECON_DIRTY_FILES;
	/* recon keeps what went wrong for the status and has logged it. */
	if (purge)
		r = engine_purge(m->engine, &e);
	else
		r = engine_run(m->engine, dirty, &e);
	answer_forget(m);
	m->runs++;
	m->last_run = now_us();
	memory_follow(m);
	if (r == -EWOULDBLOCK) {
		m->fatal = e;
		(void)sd_event_exit(m->event, 0);
		return;
	}
	settings_follow(m);
	sockets_follow(m);
	watch_follow(m);
	suspend_follow(m, purge && is_suspended(m));
	retry_arm(m);
	resync_arm(m, false);
	control_resume(m->control);
	tell(m);
}

static int on_settle(sd_event_source *source, uint64_t usec, void *arg)
{
	(void)source;
	(void)usec;
	manager_reconcile(arg);
	return 0;
}

static int on_retry(sd_event_source *source, uint64_t usec, void *arg)
{
	(void)source;
	(void)usec;
	manager_request_now(arg, RECON_DIRTY_KERNEL);
	return 0;
}

static int on_resync(sd_event_source *source, uint64_t usec, void *arg)
{
	struct manager *m = arg;

	(void)source;
	(void)usec;
	resync_arm(m, true);
	manager_request_now(m, RECON_DIRTY_KERNEL | RECON_DIRTY_FILES);
	return 0;
}

/*
 * Fires from the loop that reconciles, so a pass that hangs is noticed; a loop that turns but no
 * longer comes to a pass although the resync is overdue is not vouched for either.
 */
static int on_watchdog(sd_event_source *source, uint64_t usec, void *arg)
{
	struct manager *m = arg;
	uint64_t overdue = (3ull * m->resync_s + 10) * SECOND_US;

	(void)usec;
	if (!m->resync_s || now_us() - m->last_run < overdue)
		notify_watchdog();
	arm(source, now_us() + m->watchdog_us);
	return 0;
}

static void on_changed(void *arg, unsigned int dirty)
{
	manager_request(arg, dirty);
}

static int on_stop(sd_event_source *source, const struct signalfd_siginfo *si, void *arg)
{
	struct manager *m = arg;

	(void)source;
	log_notice("stopping on signal %u; programs, chains and shares stay in place",
		   si->ssi_signo);
	notify_stopping();
	return sd_event_exit(m->event, 0);
}

static int on_hangup(sd_event_source *source, const struct signalfd_siginfo *si, void *arg)
{
	struct manager *m = arg;

	(void)source;
	(void)si;
	notify_reloading();
	m->reloading = true;
	manager_reload(m);
	return 0;
}

static void on_message(void *arg, struct connection *c, const json_t *message)
{
	methods_call(arg, c, message);
}

static void on_resume(void *arg, struct connection *c, bool timed_out)
{
	methods_resume(arg, c, timed_out);
}

/* --- life ------------------------------------------------------------------------------- */

static int timer_new(struct manager *m, sd_event_source **ret, sd_event_time_handler_t handler)
{
	int r = sd_event_add_time(m->event, ret, CLOCK_MONOTONIC, UINT64_MAX, ACCURACY_US, handler,
				  m);

	return r < 0 ? r : sd_event_source_set_enabled(*ret, SD_EVENT_OFF);
}

static int signal_new(struct manager *m, int signal_number, sd_event_signal_handler_t handler)
{
	sd_event_source *source = NULL;
	sigset_t set;
	int r;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, signal_number);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	r = sd_event_add_signal(m->event, &source, signal_number, handler, m);
	if (r < 0)
		return r;
	(void)sd_event_source_set_priority(source, SD_EVENT_PRIORITY_IMPORTANT);
	r = sd_event_source_set_floating(source, 1); /* the loop owns it */
	(void)sd_event_source_unref(source);
	return r;
}

static int loop_new(struct manager *m)
{
	uint64_t period;
	int r = sd_event_new(&m->event);

	if (r >= 0)
		r = timer_new(m, &m->settle, on_settle);
	if (r >= 0)
		r = timer_new(m, &m->resync, on_resync);
	if (r >= 0)
		r = timer_new(m, &m->retry, on_retry);
	if (r >= 0)
		r = timer_new(m, &m->watchdog, on_watchdog);
	if (r >= 0)
		r = signal_new(m, SIGTERM, on_stop);
	if (r >= 0)
		r = signal_new(m, SIGINT, on_stop);
	if (r >= 0)
		r = signal_new(m, SIGHUP, on_hangup);
	if (r >= 0 && sd_watchdog_enabled(0, &period) > 0) {
		m->watchdog_us = period / 3;
		arm(m->watchdog, now_us() + m->watchdog_us);
	}
	return r;
}

static int watchers_new(struct manager *m, struct error *e)
{
	const struct watch_target target = { m->event, on_changed, m };
	int r = watch_links_new(&target, &m->links, e);

	if (r == 0)
		r = watch_netns_new(&target, &m->netns, e);
	if (r == 0)
		r = watch_mounts_new(&target, &m->mounts, e);
	if (r == 0)
		r = watch_files_new(&target, &m->files, e);
	if (r == 0)
		r = watch_pins_new(&target, m->options->bpffs_dir, &m->pins, e);
	if (r == 0)
		r = watch_run_new(&target, m->options->run_dir, &m->run, e);
	return r;
}

static void manager_freep(struct manager **m)
{
	manager_free(*m);
}

int manager_new(const struct options *o, struct engine *g, struct manager **ret, struct error *e)
{
	cleanup(manager_freep) struct manager *m = xnew(struct manager);
	struct control_options control = {
		.run_dir = o->run_dir, .message = on_message, .resume = on_resume, .arg = m
	};
	int r;

	m->options = o;
	m->engine = g;
	m->fresh = fresh_new();
	srandom((unsigned int)(getpid() ^ (int)now_us()));
	r = loop_new(m);
	if (r < 0)
		return error_set(e, r, "cannot make an event loop: %s", error_string(r));
	r = watchers_new(m, e);
	if (r < 0)
		return r;
	control.event = m->event;
	control_new(&control, &m->control);
	m->suspended = suspend_load(o->run_dir, engine_now_ns(), &m->suspended_until);
	if (m->suspended)
		recon_suspend(g->recon, m->suspended_until);
	*ret = take_ptr(m);
	return 0;
}

void manager_free(struct manager *m)
{
	if (!m)
		return;
	control_free(m->control);
	answer_forget(m);
	fresh_free(m->fresh);
	watch_run_free(m->run);
	watch_pins_free(m->pins);
	watch_files_free(m->files);
	watch_mounts_free(m->mounts);
	watch_netns_free(m->netns);
	watch_links_free(m->links);
	(void)sd_event_source_disable_unref(m->settle);
	(void)sd_event_source_disable_unref(m->resync);
	(void)sd_event_source_disable_unref(m->retry);
	(void)sd_event_source_disable_unref(m->watchdog);
	(void)sd_event_unref(m->event);
	free(m);
}

int manager_run(struct manager *m, struct error *e)
{
	int r;

	manager_request_now(m, RECON_DIRTY_FILES | RECON_DIRTY_KERNEL);
	r = sd_event_loop(m->event);
	if (m->fatal.code)
		return error_set(e, m->fatal.code, "%s", m->fatal.text);
	return r < 0 ? error_set(e, r, "event loop: %s", error_string(r)) : 0;
}

const struct recon *manager_recon(const struct manager *m)
{
	return m->engine->recon;
}

struct kern_linux *manager_kernel(const struct manager *m)
{
	return m->engine->kernel;
}

struct fresh *manager_fresh(const struct manager *m)
{
	return m->fresh;
}

struct manager_answer *manager_status_answer(struct manager *m)
{
	return &m->status;
}

gid_t manager_control_group(const struct manager *m)
{
	return control_group(m->control);
}

uint64_t manager_runs(const struct manager *m)
{
	return m->runs;
}
