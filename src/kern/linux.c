/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "kern/linux.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/macros.h"
#include "base/str.h"
#include "kern/chain.h"
#include "kern/chain_names.h"
#include "kern/context.h"
#include "kern/interface.h"
#include "kern/keep.h"
#include "kern/libbpf_words.h"
#include "kern/libxdp.h"
#include "kern/link.h"
#include "kern/map_copy.h"
#include "kern/map_snapshot.h"
#include "kern/netns.h"
#include "kern/object_cache.h"
#include "kern/pin.h"
#include "kern/program_users.h"
#include "kern/recover.h"
#include "kern/root.h"
#include "kern/stamp.h"
#include "kern/tc.h"
#include "model/layout.h"

/* A chain built since begin(): the plan that wanted it could not know its id. */
struct built {
	char *signature;
	uint32_t id;
};

struct kern_linux {
	struct kern_linux_options options;
	char *bpffs_dir, *run_dir;
	int64_t lock_wait_ms, sweep_ms;
	struct stamp links;
	struct kern_context context; /* points to these four */
	struct built *built;
	size_t built_count;
	struct keep *keep;
	struct arena *probed; /* of the table below; NULL: not probed yet */
	const struct feature *features;
	size_t feature_count;
};

static void set_tag(struct kern_context *c)
{
	struct hasher *h = hasher_new();
	char hex[SHA256_HEX];

	hasher_add_field(h, c->bpffs_dir);
	hasher_add_field(h, c->run_dir);
	hasher_finish(h, hex);
	memcpy(c->tag, hex, sizeof(c->tag) - 1);
	c->tag[sizeof(c->tag) - 1] = '\0';
}

int kern_linux_new(const struct kern_linux_options *o, struct kern_linux **ret, struct error *e)
{
	struct kern_linux *k;

	if (o->bpffs_dir[0] != '/' || str_ends(o->bpffs_dir, "/") || o->run_dir[0] != '/')
		return error_set(
			e, -EINVAL,
			"the bpffs directory '%s' and the run directory '%s' must be absolute "
			"paths, and the first must not end in a slash",
			o->bpffs_dir, o->run_dir);
	libbpf_words_silence();
	k = xnew(struct kern_linux);
	k->options = *o;
	k->bpffs_dir = xstrdup(o->bpffs_dir);
	k->run_dir = xstrdup(o->run_dir);
	k->context.bpffs_dir = k->bpffs_dir;
	k->context.run_dir = k->run_dir;
	set_tag(&k->context);
	k->keep = k->context.keep = keep_new();
	k->context.users = program_users_new();
	k->context.objects = object_cache_new();
	k->context.chain_names = chain_names_new();
	k->context.snapshots = map_snapshots_new();
	k->lock_wait_ms = LIBXDP_LOCK_WAIT_MS;
	k->context.lock_wait_ms = &k->lock_wait_ms;
	k->sweep_ms = MAP_SWEEP_ALL_MS;
	k->context.sweep_ms = &k->sweep_ms;
	k->context.links = &k->links;
	*ret = k;
	return 0;
}

static void forget_built(struct kern_linux *k)
{
	for (size_t i = 0; i < k->built_count; i++)
		free(k->built[i].signature);
	free(k->built);
	k->built = NULL;
	k->built_count = 0;
}

void kern_linux_free(struct kern_linux *k)
{
	if (!k)
		return;
	forget_built(k);
	keep_free(k->keep);
	program_users_free(k->context.users);
	object_cache_free(k->context.objects);
	chain_names_free(k->context.chain_names);
	map_snapshots_free(k->context.snapshots);
	arena_free(k->probed);
	free(k->bpffs_dir);
	free(k->run_dir);
	free(k);
}

const struct feature *kern_linux_features(struct kern_linux *k, size_t *ret_count)
{
	if (!k->probed) {
		k->probed = arena_new();
		k->features = probe_features(k->probed, &k->feature_count);
	}
	*ret_count = k->feature_count;
	return k->features;
}

/* --- observe -------------------------------------------------------------- */

static bool is_part(const char *name)
{
	static const char *const parts[] = { LAYOUT_OBJECTS, LAYOUT_CHAINS, LAYOUT_LINKS,
					     LAYOUT_NETNS };

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (str_eq(name, parts[i]))
			return true;
	return layout_mark_parse(name) != 0;
}

/* What lies in our directory besides its parts. */
static int observe_directory(const struct kern_context *c, struct arena *a, struct observed *o,
			     struct error *e)
{
	struct string_list names = { 0 };
	int r = o->directory_ready ? pin_directory_list(a, c->bpffs_dir, &names, e) : 0;

	for (size_t i = 0; i < names.n; i++)
		if (!is_part(names.v[i]))
			pin_foreign(a, o, names.v[i]);
	return r;
}

static int observe_pins(const struct kern_context *c, struct arena *a, struct observed *o,
			struct error *e)
{
	int r;

	r = observe_directory(c, a, o, e);
	if (r == 0)
		r = object_observe(c, a, o, e);
	if (r == 0)
		r = chain_observe(c, a, o, e);
	return r < 0 ? r : link_observe(c, a, o, e);
}

/* A namespace that went since its interfaces were listed has nothing any more. */
static int observe_tc_inside(struct arena *a, const char *netns, bool everywhere,
			     struct observed *o, struct error *e)
{
	cleanup(netns_leave) struct netns_guard guard = NETNS_GUARD_INIT;
	struct error why = { 0 };
	int r = netns_enter(netns, &guard, &why);

	if (r < 0)
		return r == -ENOENT ? 0 : error_set(e, r, "%s", why.text);
	return tc_observe(a, netns, everywhere, o, e);
}

static int observe_tc(struct arena *a, bool wanted, struct observed *o, struct error *e)
{
	bool everywhere = wanted || tc_may_be_anywhere(o);
	int r = observe_tc_inside(a, NULL, everywhere, o, e);

	for (size_t i = 0; r == 0 && i < o->netns_count; i++)
		if (o->netns[i].found)
			r = observe_tc_inside(a, o->netns[i].name, everywhere, o, e);
	return r < 0 ? r : tc_observe_programs(a, o, e);
}

/* Readers of version 3 take version 2 as well, so it is what a host without libxdp gets. */
static uint32_t host_protocol(void)
{
	uint32_t version = libxdp_host_version(libxdp_host_directories);

	return version ? version : LIBXDP_VERSION_MIN;
}

/* What is found by id makes links known that were nobody's before. */
static int recover_objects(const struct kern_context *c, struct arena *a, struct observed *o,
			   struct error *e)
{
	bool found;
	int r = object_recover(c, a, o, &found, e);

	if (r < 0 || !found)
		return r;
	o->links = NULL;
	o->link_count = 0;
	return link_observe(c, a, o, e);
}

/* After the versions are known that were found without their pins. */
static void tell_foreign(struct arena *a, struct observed *o)
{
	for (size_t i = 0; i < o->object_count; i++)
		for (size_t k = 0; k < o->objects[i].foreign.n; k++)
			pin_foreign(a, o, o->objects[i].foreign.v[k]);
}

static int linux_observe(void *ctx, struct arena *a, const struct observe_request *want,
			 struct observed *ret, struct error *e)
{
	struct kern_linux *k = ctx;
	const struct kern_context *c = &k->context;
	struct observed o = { 0 };
	int r;

	r = bpffs_observe(c, a, &o, e);
	if (r == 0 && o.layout <= LAYOUT_VERSION) /* else nothing is known of what is where */
		r = observe_pins(c, a, &o, e);
	if (r == 0)
		r = netns_observe(c, a, &want->netns, &o, e);
	if (r == 0)
		r = interface_observe(a, want->drivers, &o, e);
	if (r == 0 && o.bpffs_mounted)
		r = libxdp_observe(c, a, &o, e);
	if (r == 0)
		r = observe_tc(a, want->tc, &o, e);
	if (r == 0)
		r = keep_find_marks(c, a, &o, e);
	if (r == 0)
		r = recover_objects(c, a, &o, e);
	if (r == 0)
		r = share_observe(c, a, &want->paths, &o, e);
	if (r == 0)
		r = names_observe(a, want, &o, e);
	if (r < 0)
		return r;
	tell_foreign(a, &o);
	tc_find_ours(c, a, &o);
	o.libxdp_protocol = want->libxdp_protocol ? want->libxdp_protocol : host_protocol();
	o.features = kern_linux_features(k, &o.feature_count);
	keep_update(k->keep, c, a, &o);
	o.pins_unheld = keep_unheld(k->keep, &o.pins_held);
	map_snapshots_prune(c->snapshots, &o);
	*ret = o;
	return 0;
}

/* --- apply ---------------------------------------------------------------- */

static void linux_begin(void *ctx)
{
	struct kern_linux *k = ctx;

	forget_built(k);
	k->lock_wait_ms = LIBXDP_LOCK_WAIT_MS;
	k->sweep_ms = MAP_SWEEP_ALL_MS;
}

static void remember_built(struct kern_linux *k, const char *signature, uint32_t id)
{
	struct built *b;

	k->built = xrealloc(k->built, (k->built_count + 1) * sizeof(*k->built));
	b = &k->built[k->built_count++];
	b->signature = xstrdup(signature);
	b->id = id;
}

static void build_chain(struct kern_linux *k, struct arena *a, const struct op *op,
			struct op_result *ret)
{
	uint32_t id = 0;

	chain_build(&k->context, a, op, &id, ret);
	if (id)
		remember_built(k, op->chain.signature, id);
}

static void load_object(struct kern_linux *k, struct arena *a, const struct op *op,
			struct op_result *ret)
{
	cleanup(source_blob_done) struct source_blob blob = { 0 };
	const struct object_decl *decl = op->object.decl;
	char sha256[SHA256_HEX];
	int r;

	r = k->options.fetch ? k->options.fetch(k->options.fetch_arg, decl, &blob, &ret->error) :
			       error_set(&ret->error, -ENOTSUP, "nobody reads object files here");
	if (r < 0) {
		result_fail(ret, r);
		ret->reason = "ObjectUnreadable";
		return;
	}
	/* What was judged is what gets loaded, or nothing. */
	hash_bytes(blob.data, blob.size, sha256);
	if (!str_eq(sha256, decl->source->sha256)) {
		error_set(&ret->error, -ESTALE, "%s changed since it was read; it is read again",
			  decl->path);
		result_fail(ret, -ESTALE);
		ret->reason = "ObjectChanged";
		ret->class = FAILURE_TRANSIENT;
		return;
	}
	if (op->kind == OP_EXTENSION_LOAD)
		object_extension_load(&k->context, a, op, blob.data, blob.size, ret);
	else
		object_load(&k->context, a, op, blob.data, blob.size, ret);
}

/* The chain of an operation, of an earlier plan or of this one; 0: none, or it was not built. */
static uint32_t find_chain(const struct kern_linux *k, const struct program_ref *program,
			   uint32_t chain, const char *signature)
{
	if (program->instance || chain)
		return program->instance ? 0 : chain;
	for (size_t i = 0; i < k->built_count; i++)
		if (str_eq(k->built[i].signature, signature))
			return k->built[i].id;
	return 0;
}

/* The program's pin, or the dispatcher's of a chain: of an earlier plan, or of this one (chain 0). */
static const char *find_pin(const struct kern_linux *k, struct arena *a,
			    const struct program_ref *program, uint32_t chain,
			    const char *signature)
{
	if (program->instance)
		return pin_path(&k->context, a,
				layout_program_pin(a, program->instance, program->version,
						   program->function));
	chain = find_chain(k, program, chain, signature);
	if (!chain)
		return NULL;
	return pin_path(&k->context, a,
			arena_printf(a, "%s/%s", layout_chain_dir(a, chain), LAYOUT_DISPATCHER));
}

/* Takes over pins and lock of libxdp's protocol, for whatever of its dispatchers comes or goes. */
static struct libxdp_swap swap_of(struct kern_linux *k, struct arena *a, const struct op *op)
{
	bool comes = op->kind == OP_ROOT_SET || op->kind == OP_LINK_SET;

	return (struct libxdp_swap){
		.c = &k->context,
		.a = a,
		.op = &op->root,
		.id = comes && op->root.mechanism == MECHANISM_LIBXDP ?
			      find_chain(k, &op->root.program, op->root.chain_id,
					 op->root.signature) :
			      0,
	};
}

static void attach_root(struct kern_linux *k, struct arena *a, const struct op *op, int fd,
			struct op_result *ret)
{
	struct libxdp_swap swap = swap_of(k, a, op);

	if (libxdp_swap_begin(&swap, ret) < 0)
		return;
	if (op->kind == OP_ROOT_SET)
		root_set(&k->context, a, op, fd, ret);
	else
		root_link_set(&k->context, a, op, fd, ret);
	libxdp_swap_end(&swap, ret);
}

static void clear_root(struct kern_linux *k, struct arena *a, const struct op *op,
		       struct op_result *ret)
{
	struct libxdp_swap swap = swap_of(k, a, op);

	if (libxdp_swap_begin(&swap, ret) < 0)
		return;
	if (op->kind == OP_ROOT_CLEAR)
		root_clear(a, op, ret);
	else
		root_link_remove(&k->context, a, op, ret);
	libxdp_swap_end(&swap, ret);
}

/* The program of an operation whose place is called where; a failure is in ret. */
static int open_program(const char *pin, const char *where, int *ret_fd, struct op_result *ret)
{
	int r = pin ? pin_open(pin, ret_fd, &ret->error) :
		      error_set(&ret->error, -ENOENT, "its chain was not built");

	if (r < 0) {
		error_prefix(&ret->error, r, "%s", where);
		result_fail(ret, r);
		ret->reason = "ProgramMissing";
	}
	return r;
}

static void set_root(struct kern_linux *k, struct arena *a, const struct op *op,
		     struct op_result *ret)
{
	const struct op_root *o = &op->root;
	const char *pin = find_pin(k, a, &o->program, o->chain_id, o->signature);
	cleanup(closep) int fd = -1;

	if (open_program(pin, arena_printf(a, "root of %s", o->interface), &fd, ret) == 0)
		attach_root(k, a, op, fd, ret);
}

static void set_tc(struct kern_linux *k, struct arena *a, const struct op *op,
		   struct op_result *ret)
{
	const struct op_tc *o = &op->tc;
	const char *pin = find_pin(k, a, &o->program, o->chain_id, o->signature);
	cleanup(closep) int fd = -1;

	if (open_program(pin, tc_place_name(a, o), &fd, ret) == 0)
		tc_set(&k->context, a, op, fd, ret);
}

/* A dispatcher that is to go is waited for, and would never go while it is held. */
static void forget_before(struct kern_linux *k, struct arena *a, const struct op *op)
{
	if (op->kind == OP_CHAIN_REMOVE)
		keep_forget_pin(k->keep, layout_chain_dir(a, op->chain.id), LAYOUT_DISPATCHER);
}

/* What was removed, or is another by now, must not be taken for lost. */
static void forget_after(struct kern_linux *k, struct arena *a, const struct op *op)
{
	switch (op->kind) {
	case OP_OBJECT_LOAD:
	case OP_OBJECT_REMOVE:
		keep_forget(k->keep, layout_object_dir(a, op->object.instance, op->object.version));
		break;
	case OP_CHAIN_REMOVE:
		keep_forget_chain(k->keep, a, op->chain.id);
		break;
	case OP_LINK_SET:
	case OP_ROOT_SET:
		if (op->root.detach_first && op->root.link_id)
			keep_forget_link(k->keep, op->root.link_id);
		break;
	case OP_LINK_REMOVE:
		keep_forget_link(k->keep, op->root.link_id);
		break;
	case OP_TC_CLEAR:
		if (op->tc.link_id)
			keep_forget_link(k->keep, op->tc.link_id);
		break;
	default:
		break;
	}
}

static void apply_inside(struct kern_linux *k, struct arena *a, const struct op *op,
			 struct op_result *ret)
{
	const struct kern_context *c = &k->context;

	switch (op->kind) {
	case OP_BPFFS_MOUNT:
	case OP_DIRECTORY_CREATE:
		bpffs_apply(c, a, op, ret);
		break;
	case OP_NETNS_RECORD:
		netns_record_apply(c, a, op, ret);
		break;
	case OP_PIN_RESTORE:
		recover_apply(c, a, op, ret);
		break;
	case OP_OBJECT_LOAD:
	case OP_EXTENSION_LOAD:
		load_object(k, a, op, ret);
		break;
	case OP_CHAIN_BUILD:
		build_chain(k, a, op, ret);
		break;
	case OP_SLOT_SET:
		chain_slot_set(c, a, op, keep_find_link(k->keep, op->chain.id, op->chain.slot),
			       ret);
		break;
	case OP_ROOT_SET:
	case OP_LINK_SET:
		set_root(k, a, op, ret);
		break;
	case OP_TC_SET:
		set_tc(k, a, op, ret);
		break;
	case OP_ROOT_CLEAR:
	case OP_LINK_REMOVE:
		clear_root(k, a, op, ret);
		break;
	case OP_ROOT_PIN:
		libxdp_root_pin(c, a, op, ret);
		break;
	case OP_ROOT_UNPIN:
		libxdp_root_unpin(c, a, op, ret);
		break;
	case OP_TC_CLEAR:
		tc_clear(c, a, op, ret);
		break;
	case OP_GRACE:
		grace_apply(ret);
		break;
	case OP_MAP_SYNC:
		map_sync_apply(c, a, op, ret);
		break;
	case OP_CHAIN_REMOVE:
		chain_remove(c, a, op, ret);
		break;
	case OP_OBJECT_REMOVE:
		object_remove(c, a, op, ret);
		break;
	case OP_NETNS_FORGET:
		netns_forget_apply(c, a, op, ret);
		break;
	default:
		share_apply(c, a, op, ret);
		break;
	}
}

/* Where an operation on an interface happens; NULL: in our own namespace, or nowhere on the network. */
static const char *netns_of(const struct op *op)
{
	switch (op->kind) {
	case OP_ROOT_SET:
	case OP_LINK_SET:
	case OP_ROOT_PIN:
	case OP_ROOT_CLEAR:
	case OP_LINK_REMOVE:
	case OP_ROOT_UNPIN:
		return op->root.netns;
	case OP_TC_SET:
	case OP_TC_CLEAR:
		return op->tc.netns;
	default:
		return NULL;
	}
}

/* What this puts into a namespace must be found again by a daemon that nobody tells of it. */
static bool leaves_something(const struct op *op)
{
	return op->kind == OP_ROOT_SET || op->kind == OP_LINK_SET || op->kind == OP_TC_SET;
}

/* Links are taken away by their pins, and libxdp's pins are not in it: that works when it is gone as well. */
static bool needs_namespace(const struct op *op)
{
	return op->kind != OP_LINK_REMOVE && op->kind != OP_ROOT_UNPIN;
}

/* Everything on an interface runs inside its namespace, so nothing below this needs to know of any. */
static void linux_apply(void *ctx, struct arena *a, const struct op *op, struct op_result *ret)
{
	cleanup(netns_leave) struct netns_guard guard = NETNS_GUARD_INIT;
	const char *netns = netns_of(op);
	struct kern_linux *k = ctx;
	int r = 0;

	*ret = (struct op_result){ 0 };
	if (netns && leaves_something(op))
		r = netns_record(&k->context, a, netns, &ret->error);
	if (netns && r == 0)
		r = netns_enter(netns, &guard, &ret->error);
	if (r == -ENOENT && !needs_namespace(op)) {
		ret->error = (struct error){ 0 };
		r = 0;
	}
	if (r == 0) {
		forget_before(k, a, op);
		apply_inside(k, a, op, ret);
		if (ret->code == 0)
			forget_after(k, a, op);
		return;
	}
	error_prefix(&ret->error, r, "%s in namespace %s", op->key, netns);
	result_fail(ret, r);
	ret->reason = r == -ENOENT ? "NetnsAbsent" : ret->reason;
}

const struct kern_ops kern_linux_ops = {
	.observe = linux_observe,
	.begin = linux_begin,
	.apply = linux_apply,
};
