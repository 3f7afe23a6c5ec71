/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "kern/dispatcher.h"

#include <errno.h>

#include <bpf/libbpf.h>

#include "base/macros.h"
#include "bpf/tailcall_dispatcher.h"
#include "bpf/tailcall_dispatcher.skel.h"
#include "bpf/tc_dispatcher.h"
#include "bpf/tc_dispatcher.skel.h"
#include "kern/libbpf_words.h"
#include "model/limits.h"

_Static_assert(LIMIT_CHAIN_TAILCALL == TAILCALL_SLOT_COUNT_MAX, "the dispatchers' slots");
_Static_assert(TC_VERDICT_COUNT == TC_DISPATCHER_VERDICTS, "the verdicts of tc");

static void configure_xdp(struct dispatcher *d, const struct meta_chain *chain, bool frags)
{
	struct tailcall_config *config = &d->xdp->rodata->config;

	d->object = d->xdp->obj;
	d->program = d->xdp->progs.bpfshare_chain;
	d->members = d->xdp->maps.members;
	config->slot_count = (uint16_t)chain->member_count;
	for (size_t i = 0; i < chain->member_count; i++) {
		config->slots[i].proceed_on = (uint8_t)chain->members[i].proceed_on;
		config->slots[i].required = chain->members[i].required;
	}
	/* The first user of a program array decides which members it takes (see prepare_xdp in object.c). */
	(void)bpf_program__set_expected_attach_type(d->program, BPF_XDP);
	(void)bpf_program__set_flags(d->program, frags ? BPF_F_XDP_HAS_FRAGS : 0);
}

static void configure_tc(struct dispatcher *d, const struct meta_chain *chain)
{
	struct tc_config *config = &d->tc->rodata->config;

	d->object = d->tc->obj;
	d->program = d->tc->progs.bpfshare_tc;
	d->members = d->tc->maps.members;
	config->slot_count = (uint16_t)chain->member_count;
	for (size_t i = 0; i < chain->member_count; i++) {
		config->slots[i].proceed_on = (uint16_t)chain->members[i].proceed_on;
		config->slots[i].required = chain->members[i].required;
	}
	/* As prepare_tc in object.c has it, for the same reason. */
	(void)bpf_program__set_expected_attach_type(d->program, 0);
}

int dispatcher_open(struct dispatcher *d, const struct meta_chain *chain, bool frags,
		    struct error *e)
{
	struct libbpf_words words;
	int code;

	*d = (struct dispatcher){ 0 };
	libbpf_words_begin(&words);
	if (chain->hook == HOOK_TC)
		d->tc = tc_dispatcher_bpf__open();
	else
		d->xdp = tailcall_dispatcher_bpf__open();
	code = -errno;
	libbpf_words_end();
	if (d->tc)
		configure_tc(d, chain);
	else if (d->xdp)
		configure_xdp(d, chain, frags);
	else
		return error_set(e, code, "the dispatcher cannot be opened: %s%s%s",
				 error_string(code), words.last[0] ? ": " : "", words.last);
	return 0;
}

void dispatcher_close(struct dispatcher *d)
{
	tc_dispatcher_bpf__destroy(d->tc);
	tailcall_dispatcher_bpf__destroy(d->xdp);
	*d = (struct dispatcher){ 0 };
}
