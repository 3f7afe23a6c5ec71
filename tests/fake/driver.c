/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "fake/driver.h"

#include "base/str.h"

#define PASSES_MAX 12

const struct settings driver_settings = {
	.settle_ms = 50,
	.resync_s = 60,
	.mass_removal_percent = 50,
	.mass_removal_least = 16,
	.control_group = "bpfshare",
	.log_level = "info",
};

static const struct node driver_node = {
	.host = "node",
	.arch = "x86_64",
	.kernel = { 6, 12, 0 },
};

void driver_init(struct driver *d, struct kern_fake *k)
{
	*d = (struct driver){
		.kernel = k,
		.in = { .settings = &driver_settings,
			.node = &driver_node,
			.run_dir = "/run/bpfshare" },
		.pass = arena_new(),
		.memory = arena_new(),
	};
}

void driver_done(struct driver *d)
{
	arena_free(d->pass);
	arena_free(d->memory);
}

struct plan *driver_plan(struct driver *d)
{
	struct observed *o;
	struct observe_request want;
	struct plan *plan;

	arena_free(d->pass);
	d->pass = arena_new();
	o = arena_new_of(d->pass, struct observed);
	plan_observe_request(d->pass, d->in.desired, d->in.settings, d->in.run_dir, &want);
	plan_observe_waiting(d->pass, &d->in.waiting, &want);
	(void)kern_fake_ops.observe(d->kernel, d->pass, &want, o, NULL);
	d->in.observed = o;
	d->in.failures = d->list.v;
	d->in.failure_count = d->list.n;
	plan = plan_build(d->pass, &d->in);
	if (d->waits && !d->in.suspended)
		d->in.waiting = waiting_removals_copy(d->memory, &plan->waiting);
	return plan;
}

static void forget(struct driver *d, const struct op *op)
{
	for (size_t i = d->list.n; i-- > 0;)
		if (str_eq(d->list.v[i].subject, op->subject) &&
		    str_eq(d->list.v[i].version, op->version))
			d->list.v[i] = d->list.v[--d->list.n];
}

static void remember(struct driver *d, const struct op *op, const struct op_result *r)
{
	forget(d, op);
	*LIST_ADD(d->memory, &d->list) = (struct failure){
		.subject = arena_strdup(d->memory, op->subject),
		.version = arena_strdup(d->memory, op->version),
		.class = r->class,
		.code = r->code,
		.reason = arena_strdup(d->memory, r->reason),
		.message = arena_strdup(d->memory, r->error.text),
		.log = arena_strdup(d->memory, r->log),
	};
}

static bool can_run(const struct op *op, const bool *done)
{
	for (size_t i = 0; i < op->need_count; i++)
		if (!done[op->needs[i]])
			return false;
	return true;
}

size_t driver_apply(struct driver *d, const struct plan *plan)
{
	bool *done = arena_calloc(d->pass, plan->op_count, sizeof(*done));
	size_t n = 0;

	kern_fake_ops.begin(d->kernel);
	for (size_t i = 0; i < plan->op_count; i++) {
		struct op_result r;

		if (!can_run(&plan->ops[i], done))
			continue;
		kern_fake_ops.apply(d->kernel, d->pass, &plan->ops[i], &r);
		if (kern_fake_has_crashed(d->kernel))
			break;
		done[i] = r.code == 0;
		n += done[i];
		if (r.code < 0)
			remember(d, &plan->ops[i], &r);
		else
			forget(d, &plan->ops[i]);
	}
	return n;
}

struct plan *driver_converge(struct driver *d)
{
	for (d->passes = 0; d->passes < PASSES_MAX; d->passes++) {
		struct plan *plan = driver_plan(d);

		if (!plan->op_count || kern_fake_has_crashed(d->kernel))
			return plan;
		(void)driver_apply(d, plan);
	}
	return NULL;
}

void driver_forget_failures(struct driver *d)
{
	d->list.n = 0;
}

void driver_failures_are_due(struct driver *d)
{
	for (size_t i = 0; i < d->list.n; i++)
		d->list.v[i].due = true;
}
