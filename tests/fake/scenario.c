/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "fake/scenario_internal.h"

#include <ctype.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/num.h"
#include "config/config.h"
#include "fake/driver.h"
#include "fake/transcript.h"

const char *scenario_word(const struct scenario *s, size_t i)
{
	return i < s->n ? s->words[i] : "";
}

uint32_t scenario_number(const struct scenario *s, size_t i)
{
	return (uint32_t)strtoul(scenario_word(s, i), NULL, 0);
}

const char *scenario_option(const struct scenario *s, const char *key)
{
	size_t n = strlen(key);

	for (size_t i = 1; i < s->n; i++)
		if (strncmp(s->words[i], key, n) == 0 && s->words[i][n] == '=')
			return s->words[i] + n + 1;
	return NULL;
}

bool scenario_flag(const struct scenario *s, const char *name)
{
	for (size_t i = 1; i < s->n; i++)
		if (str_eq(s->words[i], name))
			return true;
	return false;
}

struct string_list scenario_split(struct arena *a, const char *s)
{
	struct string_list l = { 0 };
	size_t cap = 0;

	while (s && *s) {
		size_t n = strcspn(s, ",");

		l.v = list_grow(a, l.v, l.n, &cap, sizeof(*l.v));
		l.v[l.n++] = arena_strndup(a, s, n);
		s += n + (s[n] == ',');
	}
	return l;
}

/* --- the node ------------------------------------------------------------------------------- */

static int do_interface(struct scenario *s)
{
	const char *alt = scenario_option(s, "alt"), *master = scenario_option(s, "master"),
		   *group = scenario_option(s, "group"), *ifindex = scenario_option(s, "ifindex"),
		   *mtu = scenario_option(s, "mtu");
	const char *colon = strrchr(scenario_word(s, 1), ':');
	struct observed_interface i = {
		.name = colon ? colon + 1 : scenario_word(s, 1),
		.netns = colon ? arena_strndup(s->a, scenario_word(s, 1),
					       (size_t)(colon - scenario_word(s, 1))) :
				 NULL,
		.ifindex = ifindex ? (uint32_t)strtoul(ifindex, NULL, 0) : 0,
		.driver = scenario_option(s, "driver"),
		.kind = scenario_option(s, "kind"),
		.mac = scenario_option(s, "mac"),
		.group = group ? (uint32_t)strtoul(group, NULL, 0) : 0,
		.physical = scenario_flag(s, "physical"),
		.loopback = scenario_flag(s, "loopback"),
		.mtu = mtu ? (uint32_t)strtoul(mtu, NULL, 0) : 1500,
		.up = !scenario_flag(s, "down"),
		.altnames = scenario_split(s->a, alt),
	};

	if (master) {
		i.master_ifindex = (uint32_t)strtoul(master, NULL, 0);
		i.master_kind = strchr(master, ':') + 1;
	}
	kern_fake_set_interface(s->kernel, &i);
	if (scenario_flag(s, "no-native"))
		kern_fake_refuse_native(s->kernel, scenario_word(s, 1));
	return 0;
}

static int do_netns(struct scenario *s)
{
	kern_fake_set_netns(s->kernel, scenario_word(s, 1), scenario_option(s, "same-as"));
	return 0;
}

static int do_remove_netns(struct scenario *s)
{
	kern_fake_remove_netns(s->kernel, scenario_word(s, 1));
	return 0;
}

static int do_remove_interface(struct scenario *s)
{
	kern_fake_remove_interface(s->kernel, scenario_word(s, 1));
	return 0;
}

static int do_rename_interface(struct scenario *s)
{
	kern_fake_rename_interface(s->kernel, scenario_word(s, 1), scenario_word(s, 2));
	return 0;
}

static int do_foreign(struct scenario *s)
{
	(void)kern_fake_attach_foreign(s->kernel, scenario_word(s, 1), scenario_word(s, 2),
				       str_eq(scenario_word(s, 3), "generic") ? XDP_GENERIC :
										XDP_DRIVER);
	return 0;
}

static int do_detach(struct scenario *s)
{
	kern_fake_detach(s->kernel, scenario_word(s, 1));
	return 0;
}

static int do_elsewhere(struct scenario *s)
{
	kern_fake_use_elsewhere(s->kernel, kern_fake_root(s->kernel, scenario_word(s, 1)));
	return 0;
}

static int do_empty_slot(struct scenario *s)
{
	kern_fake_empty_slot(s->kernel, kern_fake_root(s->kernel, scenario_word(s, 1)),
			     scenario_number(s, 2));
	return 0;
}

static int do_unpin_chain(struct scenario *s)
{
	kern_fake_lose_chain(s->kernel, scenario_word(s, 1));
	return 0;
}

static int do_lose_link_pin(struct scenario *s)
{
	kern_fake_lose_link_pin(s->kernel, scenario_word(s, 1));
	return 0;
}

static int do_lose_for_good(struct scenario *s)
{
	kern_fake_lose_for_good(s->kernel, scenario_word(s, 1),
				s->n > 2 ? scenario_word(s, 2) : NULL);
	return 0;
}

static int do_lose_pin(struct scenario *s)
{
	kern_fake_lose_pin(s->kernel, scenario_word(s, 1), s->n > 2 ? scenario_word(s, 2) : NULL);
	return 0;
}

static int do_lose_chain(struct scenario *s)
{
	kern_fake_remove_chain_dir(s->kernel, kern_fake_root(s->kernel, scenario_word(s, 1)));
	return 0;
}

static const char *rest(const struct scenario *s, size_t from)
{
	const char *text = "";

	for (size_t i = from; i < s->n; i++)
		text = arena_printf(s->a, "%s%s%s", text, i > from ? " " : "", s->words[i]);
	return text;
}

static int do_feature(struct scenario *s)
{
	kern_fake_set_feature(s->kernel, scenario_word(s, 1), false, rest(s, 2));
	return 0;
}

static int do_feature_back(struct scenario *s)
{
	kern_fake_set_feature(s->kernel, scenario_word(s, 1), true, NULL);
	return 0;
}

static int do_no_bpffs(struct scenario *s)
{
	kern_fake_set_bpffs(s->kernel, false, false);
	return 0;
}

static int do_host(struct scenario *s)
{
	s->node.host = arena_strdup(s->a, scenario_word(s, 1));
	return 0;
}

static int do_kernel(struct scenario *s)
{
	struct kernel_version *v = &s->node.kernel;

	if (sscanf(scenario_word(s, 1), "%u.%u.%u", &v->major, &v->minor, &v->patch) != 3)
		return error_set(s->e, -EINVAL, "kernel X.Y.Z");
	return 0;
}

static int do_label(struct scenario *s)
{
	*LIST_ADD(s->a, &s->labels) = (struct label){ arena_strdup(s->a, scenario_word(s, 1)),
						      arena_strdup(s->a, scenario_word(s, 2)) };
	s->settings.labels = s->labels.v;
	s->settings.label_count = s->labels.n;
	return 0;
}

static int do_mass_removal(struct scenario *s)
{
	s->settings.mass_removal_percent = scenario_number(s, 1);
	s->settings.mass_removal_least = scenario_number(s, 2);
	return 0;
}

static int do_mode(struct scenario *s)
{
	for (enum xdp_mode m = 0; m < XDP_MODE_COUNT; m++)
		if (str_eq(xdp_mode_names[m], scenario_word(s, 1)))
			s->settings.xdp.mode = m;
	return 0;
}

static int do_mechanism(struct scenario *s)
{
	for (enum mechanism m = 0; m < MECHANISM_DIRECT; m++)
		if (str_eq(mechanism_names[m], scenario_word(s, 1)))
			s->settings.xdp.mechanism = m;
	return 0;
}

static int do_on_foreign(struct scenario *s)
{
	s->settings.xdp.on_foreign = str_eq(scenario_word(s, 1), "replace") ? ON_FOREIGN_REPLACE :
									      ON_FOREIGN_WAIT;
	return 0;
}

static int do_exclusive(struct scenario *s)
{
	s->settings.xdp.exclusive = str_eq(scenario_word(s, 1), "true");
	return 0;
}

/* --- libxdp ---------------------------------------------------------------------------------- */

static int do_libxdp(struct scenario *s)
{
	kern_fake_set_feature(s->kernel, "libxdp", true, NULL);
	return 0;
}

static int do_protocol(struct scenario *s)
{
	kern_fake_set_protocol(s->kernel, scenario_number(s, 1));
	return 0;
}

static int told(struct scenario *s, bool done)
{
	if (!done)
		strbuf_add(s->out, "  (refused)\n");
	return 0;
}

static int do_xdp_load(struct scenario *s)
{
	const char *priority = scenario_option(s, "priority"),
		   *actions = scenario_option(s, "actions");
	const struct fake_member m = {
		.name = scenario_word(s, 2),
		.priority = priority ? (uint32_t)strtoul(priority, NULL, 0) : 50,
		.actions = actions ? scenario_verdicts(s, actions) : XDP_VERDICTS_DEFAULT,
		.frags = scenario_flag(s, "frags"),
	};

	return told(s, kern_fake_libxdp_load(s->kernel, scenario_word(s, 1), &m));
}

static int do_xdp_unload(struct scenario *s)
{
	if (s->n < 3)
		return told(s, kern_fake_libxdp_unload_all(s->kernel, scenario_word(s, 1)));
	return told(s,
		    kern_fake_libxdp_unload(s->kernel, scenario_word(s, 1), scenario_word(s, 2)));
}

static int do_lose_link(struct scenario *s)
{
	kern_fake_lose_link(s->kernel, scenario_word(s, 1), scenario_number(s, 2));
	return 0;
}

static int do_lose_protocol_pins(struct scenario *s)
{
	kern_fake_lose_protocol_pins(s->kernel, scenario_word(s, 1));
	return 0;
}

static int do_dispatch_fault(struct scenario *s)
{
	kern_fake_set_dispatch_fault(s->kernel, scenario_word(s, 1), rest(s, 2));
	return 0;
}

static int do_refuse_extension(struct scenario *s)
{
	char sha256[SHA256_HEX];

	hash_bytes(scenario_word(s, 1), strlen(scenario_word(s, 1)), sha256);
	kern_fake_refuse_extension(s->kernel, sha256);
	return 0;
}

static int do_group(struct scenario *s)
{
	kern_fake_add_name(s->kernel, &(struct observed_name){ .name = scenario_word(s, 1),
							       .is_group = true,
							       .id = scenario_number(s, 2) });
	return 0;
}

static int do_user(struct scenario *s)
{
	kern_fake_add_name(s->kernel,
			   &(struct observed_name){ .name = scenario_word(s, 1),
						    .id = scenario_number(s, 2),
						    .primary_gid = scenario_number(s, 3),
						    .shared_group = scenario_flag(s, "shared") });
	return 0;
}

/* --- tc ------------------------------------------------------------------------------------------ */

static enum tc_direction direction(const struct scenario *s)
{
	return str_eq(scenario_word(s, 2), tc_direction_names[TC_EGRESS]) ? TC_EGRESS : TC_INGRESS;
}

static int do_tc_link(struct scenario *s)
{
	(void)kern_fake_tc_add_foreign(s->kernel, scenario_word(s, 1), direction(s),
				       scenario_word(s, 3),
				       s->n > 4 ? scenario_number(s, 4) : SIZE_MAX);
	return 0;
}

static int do_tc_race(struct scenario *s)
{
	kern_fake_tc_race(s->kernel, scenario_word(s, 1), direction(s), scenario_word(s, 3));
	return 0;
}

static int do_tc_filter(struct scenario *s)
{
	kern_fake_tc_add_filter(s->kernel, scenario_word(s, 1), direction(s), scenario_word(s, 3),
				scenario_number(s, 4));
	return 0;
}

static int do_tc_qdisc(struct scenario *s)
{
	enum tc_qdisc qdisc = TC_QDISC_NONE;

	if (str_eq(scenario_word(s, 2), "ingress"))
		qdisc = TC_QDISC_INGRESS;
	else if (str_eq(scenario_word(s, 2), "clsact"))
		qdisc = TC_QDISC_CLSACT;
	kern_fake_tc_set_qdisc(s->kernel, scenario_word(s, 1), qdisc);
	return 0;
}

static int do_tc_detach(struct scenario *s)
{
	kern_fake_tc_detach(s->kernel, scenario_word(s, 1), direction(s), scenario_number(s, 3));
	return 0;
}

static int do_tc_unpin(struct scenario *s)
{
	kern_fake_tc_unpin(s->kernel, scenario_word(s, 1), direction(s), scenario_number(s, 3));
	return 0;
}

static int do_tc_state(struct scenario *s)
{
	for (enum tc_direction d = 0; d < TC_DIRECTION_COUNT; d++)
		strbuf_addf(s->out, "  %s\n",
			    kern_fake_tc(s->kernel, s->a, scenario_word(s, 1), d));
	return 0;
}

static int do_tc_mechanism(struct scenario *s)
{
	for (enum tc_mechanism m = 0; m < TC_MECHANISM_COUNT; m++)
		if (str_eq(tc_mechanism_names[m], scenario_word(s, 1)))
			s->settings.tc.mechanism = m;
	return 0;
}

static int do_mount(struct scenario *s)
{
	kern_fake_mount_foreign(s->kernel, scenario_word(s, 1));
	return 0;
}

static int do_unmount(struct scenario *s)
{
	kern_fake_unmount(s->kernel, scenario_word(s, 1));
	return 0;
}

static int do_pin(struct scenario *s)
{
	struct observed_pin pin = { scenario_word(s, 2), scenario_number(s, 3),
				    scenario_number(s, 4), scenario_number(s, 5),
				    (uint32_t)strtoul(scenario_word(s, 6), NULL, 8) };

	kern_fake_set_pin(s->kernel, scenario_word(s, 1), &pin);
	return 0;
}

/* --- what is in maps ------------------------------------------------------------------------------ */

/* INSTANCE MAP KEY VALUE [oldest], from a word on; the key of a data section is a variable's name. */
static struct fake_write write_of(const struct scenario *s, size_t from)
{
	return (struct fake_write){
		.instance = scenario_word(s, from),
		.map = scenario_word(s, from + 1),
		.key = *scenario_word(s, from + 1) == '.' ?
			       kern_fake_variable(scenario_word(s, from + 2)) :
			       scenario_number(s, from + 2),
		.value = scenario_number(s, from + 3),
		.oldest = scenario_flag(s, "oldest"),
	};
}

static int do_write(struct scenario *s)
{
	const struct fake_write w = write_of(s, 1);

	if (!kern_fake_write(s->kernel, &w))
		strbuf_add(s->out, "  (no such map)\n");
	return 0;
}

static int do_write_before(struct scenario *s)
{
	const struct fake_write w = write_of(s, 2);

	for (enum op_kind k = 0; k < OP_KIND_COUNT; k++)
		if (str_eq(op_kind_names[k], scenario_word(s, 1)))
			kern_fake_write_before(s->kernel, k, &w);
	return 0;
}

static int do_old_metadata(struct scenario *s)
{
	kern_fake_set_old_metadata(s->kernel);
	return 0;
}

static int do_kernel_map(struct scenario *s)
{
	kern_fake_set_map(s->kernel, scenario_word(s, 1), scenario_word(s, 2),
			  scenario_number(s, 3), scenario_number(s, 4));
	return 0;
}

static int do_contents(struct scenario *s)
{
	strbuf_add(s->out,
		   kern_fake_contents(s->kernel, s->a, scenario_word(s, 1), scenario_word(s, 2)));
	return 0;
}

/* --- faults ------------------------------------------------------------------------------------ */

static int do_refuse(struct scenario *s)
{
	char sha256[SHA256_HEX];

	hash_bytes(scenario_word(s, 1), strlen(scenario_word(s, 1)), sha256);
	kern_fake_refuse_content(s->kernel, sha256);
	return 0;
}

static int do_fail(struct scenario *s)
{
	static const char *const names[] = { "transient", "kernel", "foreign" };

	for (enum failure_class c = 0; c < FAILURE_CLASS_COUNT; c++)
		if (str_eq(names[c], scenario_word(s, 3)))
			kern_fake_fail(s->kernel, scenario_number(s, 1),
				       -(int)scenario_number(s, 2), c);
	return 0;
}

static int do_crash(struct scenario *s)
{
	kern_fake_crash(s->kernel, scenario_number(s, 1));
	return 0;
}

static int do_restart(struct scenario *s)
{
	kern_fake_restart(s->kernel);
	driver_forget_failures(&s->driver);
	return 0;
}

static int do_due(struct scenario *s)
{
	driver_failures_are_due(&s->driver);
	return 0;
}

static int do_invalid(struct scenario *s)
{
	const char **v = arena_calloc(s->a, s->invalid.n + 1, sizeof(*v));

	for (size_t i = 0; i < s->invalid.n; i++)
		v[i] = s->invalid.v[i];
	s->invalid.v = v;
	s->invalid.v[s->invalid.n++] = arena_strdup(s->a, scenario_word(s, 1));
	return 0;
}

/* --- plans ----------------------------------------------------------------------------------------- */

static int read_file(struct scenario *s, const char *name, const char **ret, size_t *ret_size)
{
	FILE *f = fopen(arena_printf(s->a, "%s/%s", s->dir, name), "re");
	cleanup(strbuf_done) struct strbuf b = { 0 };
	char chunk[4096];
	size_t n;

	if (!f)
		return error_set(s->e, -errno, "%s/%s: %s", s->dir, name, strerror(errno));
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		strbuf_addn(&b, chunk, n);
	(void)fclose(f);
	*ret = arena_dup(s->a, strbuf_get(&b), b.len + 1);
	*ret_size = b.len;
	return 0;
}

static int parse_files(struct scenario *s, struct fragment **v)
{
	for (size_t i = 0; i < s->files.n; i++) {
		const char *text;
		size_t size;
		int r = read_file(s, s->files.v[i], &text, &size);

		if (r < 0)
			return r;
		v[i] = config_parse(s->a, s->files.v[i], text, size, &s->settings);
		if (!v[i]->valid) {
			diags_format(&v[i]->diags, s->out);
			return error_set(s->e, -EINVAL, "%s is invalid", s->files.v[i]);
		}
	}
	return 0;
}

/* The given files, merged and judged; files given as `invalid` only appear as such. */
static int read_desired(struct scenario *s, struct desired **ret)
{
	struct fragment **v = arena_calloc(s->a, s->files.n, sizeof(struct fragment *));
	struct desired *d = arena_new_of(s->a, struct desired);
	int r = parse_files(s, v);

	if (r < 0)
		return r;
	config_merge(s->a, v, s->files.n, NULL, 0, d);
	for (size_t i = 0; i < s->files.n; i++) {
		if (v[i]->valid)
			continue;
		diags_format(&v[i]->diags, s->out);
		return error_set(s->e, -EINVAL, "%s is invalid", s->files.v[i]);
	}
	for (size_t i = 0; i < d->object_count; i++)
		d->objects[i].source = scenario_source(s, d->objects[i].path);
	config_judge(s->a, d, NULL);
	d->file_count = s->files.n + s->invalid.n;
	d->files = arena_calloc(s->a, d->file_count, sizeof(*d->files));
	for (size_t i = 0; i < s->files.n; i++)
		d->files[i] = (struct desired_file){ .path = s->files.v[i] };
	for (size_t i = 0; i < s->invalid.n; i++)
		d->files[s->files.n + i] = (struct desired_file){ .path = s->invalid.v[i],
								  .state = FILE_INVALID,
								  .in_force = IN_FORCE_NONE };
	*ret = d;
	return 0;
}

static int prepare(struct scenario *s)
{
	struct desired *d = NULL;
	int r;

	if (s->n > 1) {
		s->files.v = arena_calloc(s->a, s->n, sizeof(char *));
		s->files.n = 0;
		for (size_t i = 1; i < s->n; i++)
			s->files.v[s->files.n++] = arena_strdup(s->a, scenario_word(s, i));
	}
	r = read_desired(s, &d);
	if (r == 0)
		s->driver.in.desired = d;
	return r;
}

static int do_plan(struct scenario *s)
{
	int r = prepare(s);
	struct plan *plan;

	if (r < 0)
		return r;
	plan = driver_plan(&s->driver);
	transcript_plan(s->out, s->driver.pass, plan);
	transcript_status(s->out, s->driver.pass, plan->status);
	return 0;
}

/* By number, like versions: the same number is the same token. */
static int do_token(struct scenario *s)
{
	int r = prepare(s);
	const struct plan *plan;

	if (r < 0)
		return r;
	plan = driver_plan(&s->driver);
	for (size_t i = 0; i < plan->held_count; i++)
		strbuf_addf(s->out, "held: %s\n", op_format(s->a, &plan->held[i]));
	strbuf_addf(s->out, "token %s\n", plan->held_count ? plan->held_token : "none");
	return 0;
}

static int apply(struct scenario *s)
{
	struct plan *plan = driver_plan(&s->driver);

	for (size_t pass = 0; plan->op_count && pass < 10; pass++) {
		if (pass)
			strbuf_add(s->out, "again:\n");
		transcript_plan(s->out, s->driver.pass, plan);
		if (!driver_apply(&s->driver, plan))
			strbuf_add(s->out, "(nothing was done)\n");
		if (kern_fake_has_crashed(s->kernel)) {
			strbuf_add(s->out, "(crash)\n");
			return 0;
		}
		plan = driver_plan(&s->driver);
	}
	if (plan->op_count || plan->held_count)
		transcript_plan(s->out, s->driver.pass, plan);
	transcript_status(s->out, s->driver.pass, plan->status);
	return 0;
}

static int do_apply(struct scenario *s)
{
	int r = prepare(s);

	return r < 0 ? r : apply(s);
}

static int do_confirm(struct scenario *s)
{
	const struct plan *plan = driver_plan(&s->driver);
	int r;

	s->driver.in.confirmed = arena_strdup(s->a, plan->held_token);
	r = apply(s);
	s->driver.in.confirmed = NULL;
	return r;
}

static int do_suspend(struct scenario *s)
{
	s->driver.in.suspended = true;
	return 0;
}

static int do_resume(struct scenario *s)
{
	s->driver.in.suspended = false;
	return 0;
}

static int do_purge(struct scenario *s)
{
	int r;

	s->driver.in.purge = true;
	r = apply(s);
	s->driver.in.purge = false;
	return r;
}

static int do_kernel_state(struct scenario *s)
{
	const char *records = kern_fake_records(s->kernel, s->a);

	strbuf_add(s->out, kern_fake_ours(s->kernel, s->a));
	if (*records)
		strbuf_addf(s->out, "records of namespaces:\n%s", records);
	return 0;
}

/* --- the story ------------------------------------------------------------------------------------- */

static const struct command {
	const char *name;
	int (*run)(struct scenario *s);
	size_t words; /* at least, without its name */
} commands[] = {
	{ "apply", do_apply, 0 },
	{ "confirm", do_confirm, 0 },
	{ "contents", do_contents, 2 },
	{ "crash", do_crash, 1 },
	{ "detach", do_detach, 1 },
	{ "dispatch-fault", do_dispatch_fault, 2 },
	{ "due", do_due, 0 },
	{ "elf", scenario_elf, 2 },
	{ "elsewhere", do_elsewhere, 1 },
	{ "empty-slot", do_empty_slot, 2 },
	{ "exclusive", do_exclusive, 1 },
	{ "fail", do_fail, 3 },
	{ "feature", do_feature, 1 },
	{ "feature-back", do_feature_back, 1 },
	{ "foreign", do_foreign, 3 },
	{ "group", do_group, 2 },
	{ "host", do_host, 1 },
	{ "interface", do_interface, 1 },
	{ "invalid", do_invalid, 1 },
	{ "kernel", do_kernel, 1 },
	{ "kernel-map", do_kernel_map, 3 },
	{ "kernel-state", do_kernel_state, 0 },
	{ "label", do_label, 2 },
	{ "libxdp", do_libxdp, 0 },
	{ "lose-chain", do_lose_chain, 1 },
	{ "lose-for-good", do_lose_for_good, 1 },
	{ "lose-link", do_lose_link, 2 },
	{ "lose-link-pin", do_lose_link_pin, 1 },
	{ "lose-pin", do_lose_pin, 1 },
	{ "lose-protocol-pins", do_lose_protocol_pins, 1 },
	{ "map", scenario_map, 2 },
	{ "mass-removal", do_mass_removal, 2 },
	{ "mechanism", do_mechanism, 1 },
	{ "mode", do_mode, 1 },
	{ "mount", do_mount, 1 },
	{ "netns", do_netns, 1 },
	{ "no-bpffs", do_no_bpffs, 0 },
	{ "old-metadata", do_old_metadata, 0 },
	{ "on-foreign", do_on_foreign, 1 },
	{ "pin", do_pin, 6 },
	{ "plan", do_plan, 0 },
	{ "program", scenario_program, 1 },
	{ "protocol", do_protocol, 1 },
	{ "purge", do_purge, 0 },
	{ "refuse", do_refuse, 1 },
	{ "refuse-extension", do_refuse_extension, 1 },
	{ "remove-interface", do_remove_interface, 1 },
	{ "remove-netns", do_remove_netns, 1 },
	{ "rename-interface", do_rename_interface, 2 },
	{ "restart", do_restart, 0 },
	{ "resume", do_resume, 0 },
	{ "suspend", do_suspend, 0 },
	{ "tc-detach", do_tc_detach, 3 },
	{ "tc-filter", do_tc_filter, 4 },
	{ "tc-link", do_tc_link, 3 },
	{ "tc-mechanism", do_tc_mechanism, 1 },
	{ "tc-qdisc", do_tc_qdisc, 2 },
	{ "tc-race", do_tc_race, 3 },
	{ "tc-state", do_tc_state, 1 },
	{ "tc-unpin", do_tc_unpin, 3 },
	{ "token", do_token, 0 },
	{ "unmount", do_unmount, 1 },
	{ "unpin-chain", do_unpin_chain, 1 },
	{ "user", do_user, 3 },
	{ "variable", scenario_variable, 2 },
	{ "write", do_write, 4 },
	{ "write-before", do_write_before, 5 },
	{ "xdp-load", do_xdp_load, 2 },
	{ "xdp-unload", do_xdp_unload, 1 },
};

static void split_line(struct scenario *s, char *line)
{
	char *save = NULL;

	s->indented = isspace((unsigned char)*line);
	s->n = 0;
	for (char *w = strtok_r(line, " \t", &save); w && s->n < WORDS_MAX;
	     w = strtok_r(NULL, " \t", &save)) {
		if (*w == '#')
			break;
		s->words[s->n++] = w;
	}
}

static int run_line(struct scenario *s, char *line)
{
	const char *text = arena_strdup(s->a, line);

	split_line(s, line);
	if (!s->n)
		return 0;
	if (!s->indented)
		strbuf_addf(s->out, "$ %s\n", text);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (str_eq(commands[i].name, s->words[0]) && s->n > commands[i].words)
			return commands[i].run(s);
	return error_set(s->e, -EINVAL, "%s: no such command, or too few words: %s", s->dir, text);
}

static int tell(struct scenario *s)
{
	const char *text;
	size_t size;
	int r = read_file(s, "scenario", &text, &size);
	char *copy = r < 0 ? NULL : arena_strdup(s->a, text), *save = NULL;

	for (char *line = copy ? strtok_r(copy, "\n", &save) : NULL; line && r == 0;
	     line = strtok_r(NULL, "\n", &save))
		r = run_line(s, line);
	if (r == 0 && *kern_fake_violations(s->kernel))
		r = error_set(s->e, -EINVAL, "%s: %s", s->dir, kern_fake_violations(s->kernel));
	return r;
}

int scenario_run(const char *dir, struct strbuf *out, struct error *e)
{
	cleanup(kern_fake_freep) struct kern_fake *kernel = kern_fake_new();
	cleanup(arena_freep) struct arena *a = arena_new();
	cleanup(strbuf_done) struct strbuf raw = { 0 };
	struct scenario s = {
		.a = a,
		.dir = dir,
		.kernel = kernel,
		.settings = driver_settings,
		.node = { .host = "node", .arch = "x86_64", .kernel = { 6, 12, 0 } },
		.out = &raw,
		.e = e,
	};
	int r;

	driver_init(&s.driver, kernel);
	s.driver.waits = true;
	s.driver.in.settings = &s.settings;
	s.driver.in.node = &s.node;
	r = tell(&s);
	driver_done(&s.driver);
	transcript_mask(out, strbuf_get(&raw));
	return r;
}
