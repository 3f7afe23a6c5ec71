/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * One filter of ours per direction, at a priority and handle of its own. netlink has no
 * compare-and-swap for filters and anybody may delete one, so what is there is looked at right
 * before a change: a filter is replaced or deleted only if it has our name and the program that
 * was expected, and a new one is made with NLM_F_EXCL. A replacement by priority and handle is
 * atomic for packets.
 *
 * The qdisc clsact is made where there is none and stays: nothing tells who made it, and others
 * may rely on it. The older qdisc ingress keeps filters of one direction only, and takes those for egress
 * into ingress without a word, so its kind is asked for first.
 */
#include "kern/clsact.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <string.h>
#include <sys/socket.h>

#include <bpf/bpf.h>

#include "base/macros.h"
#include "base/str.h"
#include "kern/netlink.h"
#include "kern/tc.h"

#define REQUEST_SIZE 512

/* A dump that others' changes interrupt is begun anew; not forever. */
#define DUMP_TRIES 20

/* --- requests ------------------------------------------------------------------ */

static struct nlmsghdr *new_request(void *buffer, uint16_t type, uint32_t ifindex, uint32_t parent)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buffer);
	struct tcmsg *t;

	h->nlmsg_type = type;
	t = mnl_nlmsg_put_extra_header(h, sizeof(*t));
	t->tcm_family = AF_UNSPEC;
	t->tcm_ifindex = (int)ifindex;
	t->tcm_parent = parent;
	return h;
}

static struct nlmsghdr *new_qdisc_request(void *buffer, uint32_t ifindex)
{
	struct nlmsghdr *h = new_request(buffer, RTM_NEWQDISC, ifindex, TC_H_CLSACT);
	struct tcmsg *t = mnl_nlmsg_get_payload(h);

	h->nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
	t->tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
	mnl_attr_put_strz(h, TCA_KIND, "clsact");
	return h;
}

static uint32_t filter_parent(enum tc_direction direction)
{
	return TC_H_MAKE(TC_H_CLSACT, direction == TC_EGRESS ? TC_H_MIN_EGRESS : TC_H_MIN_INGRESS);
}

/* handle 0: any. */
static struct nlmsghdr *filter_request(void *buffer, uint16_t type, const struct op_tc *op,
				       uint32_t handle)
{
	struct nlmsghdr *h = new_request(buffer, type, op->ifindex, filter_parent(op->direction));
	struct tcmsg *t = mnl_nlmsg_get_payload(h);

	t->tcm_info = TC_H_MAKE(op->filter_priority << 16, htons(ETH_P_ALL));
	t->tcm_handle = handle;
	return h;
}

static struct nlmsghdr *new_filter_request(void *buffer, const struct op_tc *op, const char *mark,
					   int program_fd)
{
	struct nlmsghdr *h = filter_request(buffer, RTM_NEWTFILTER, op, op->filter_handle);
	struct nlattr *options;

	mnl_attr_put_strz(h, TCA_KIND, "bpf");
	options = mnl_attr_nest_start(h, TCA_OPTIONS);
	mnl_attr_put_u32(h, TCA_BPF_FD, (uint32_t)program_fd);
	mnl_attr_put_strz(h, TCA_BPF_NAME, mark);
	mnl_attr_put_u32(h, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
	mnl_attr_nest_end(h, options);
	return h;
}

/* --- answers ------------------------------------------------------------------- */

static const char *get_string(struct arena *a, const struct nlattr *attribute)
{
	return arena_strndup(a, mnl_attr_get_payload(attribute),
			     strnlen(mnl_attr_get_payload(attribute),
				     mnl_attr_get_payload_len(attribute)));
}

/* 0 for what is shorter than a number. */
static uint32_t get_u32(const struct nlattr *attribute)
{
	return mnl_attr_validate(attribute, MNL_TYPE_U32) < 0 ? 0 : mnl_attr_get_u32(attribute);
}

static bool string_is(const struct nlattr *attribute, const char *s)
{
	size_t size = strlen(s) + 1;

	return mnl_attr_get_payload_len(attribute) == size &&
	       memcmp(mnl_attr_get_payload(attribute), s, size) == 0;
}

/* Of a message about a qdisc: TC_QDISC_NONE for one that takes no filters of ours. */
static enum tc_qdisc read_qdisc_kind(const struct nlmsghdr *h)
{
	const struct tcmsg *t = mnl_nlmsg_get_payload(h);
	const struct nlattr *attribute;

	/* Both kinds sit at the same parent. */
	if (h->nlmsg_type != RTM_NEWQDISC || t->tcm_parent != TC_H_CLSACT)
		return TC_QDISC_NONE;
	mnl_attr_for_each(attribute, h, sizeof(*t)) {
		if (mnl_attr_get_type(attribute) != TCA_KIND)
			continue;
		if (string_is(attribute, "clsact"))
			return TC_QDISC_CLSACT;
		if (string_is(attribute, "ingress"))
			return TC_QDISC_INGRESS;
	}
	return TC_QDISC_NONE;
}

struct filter_list {
	struct arena *a;
	LIST(struct observed_tc_program) list;
};

static void read_bpf_options(struct arena *a, const struct nlattr *nest,
			     struct observed_tc_program *f)
{
	const struct nlattr *attribute;

	mnl_attr_for_each_nested(attribute, nest) {
		if (mnl_attr_get_type(attribute) == TCA_BPF_ID)
			f->id = get_u32(attribute);
		else if (mnl_attr_get_type(attribute) == TCA_BPF_NAME)
			f->filter_name = get_string(a, attribute);
	}
}

/* Only what runs for every packet: a filter in another chain than 0 needs another one to go there. */
static int read_filter(const struct nlmsghdr *h, void *arg, struct error *e)
{
	const struct tcmsg *t = mnl_nlmsg_get_payload(h);
	const struct nlattr *attribute, *options = NULL;
	struct observed_tc_program f = { .filter_priority = t->tcm_info >> 16,
					 .filter_handle = t->tcm_handle,
					 .filter_name = "" };
	struct filter_list *l = arg;
	bool is_bpf = false;

	(void)e;
	if (h->nlmsg_type != RTM_NEWTFILTER)
		return 0;
	mnl_attr_for_each(attribute, h, sizeof(*t)) {
		switch (mnl_attr_get_type(attribute)) {
		case TCA_KIND:
			f.filter_name = get_string(l->a, attribute);
			is_bpf = string_is(attribute, "bpf");
			break;
		case TCA_OPTIONS:
			options = attribute;
			break;
		case TCA_CHAIN:
			if (get_u32(attribute) != 0)
				return 0;
			break;
		}
	}
	/* Before its filters each priority is told of, without options. */
	if (!options)
		return 0;
	if (is_bpf)
		read_bpf_options(l->a, options, &f);
	*LIST_ADD(l->a, &l->list) = f;
	return 0;
}

/* --- observe -------------------------------------------------------------------- */

struct qdisc_list {
	struct observed_tc *tc;
	size_t count;
};

/* The first entry of the interface; there are at most two of each, next to each other. */
static size_t find_interface(const struct qdisc_list *l, uint32_t ifindex)
{
	size_t low = 0, high = l->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (l->tc[middle].ifindex < ifindex)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int read_qdisc(const struct nlmsghdr *h, void *arg, struct error *e)
{
	const struct tcmsg *t = mnl_nlmsg_get_payload(h);
	enum tc_qdisc kind = read_qdisc_kind(h);
	const struct qdisc_list *l = arg;
	uint32_t ifindex = (uint32_t)t->tcm_ifindex;

	(void)e;
	if (kind == TC_QDISC_NONE)
		return 0;
	for (size_t i = find_interface(l, ifindex); i < l->count && l->tc[i].ifindex == ifindex;
	     i++)
		l->tc[i].qdisc = kind;
	return 0;
}

static int list_qdiscs(struct netlink *n, struct qdisc_list *l, struct error *e)
{
	_Alignas(struct nlmsghdr) char buffer[REQUEST_SIZE];
	int r = -EAGAIN;

	for (int i = 0; r == -EAGAIN && i < DUMP_TRIES; i++) {
		for (size_t k = 0; k < l->count; k++)
			l->tc[k].qdisc = TC_QDISC_NONE;
		r = netlink_get(n, new_request(buffer, RTM_GETQDISC, 0, 0), true, read_qdisc, l, e);
	}
	return r;
}

/* Of one priority, or of all (0). An interface or a qdisc that is gone has none. */
static int list_filters(struct netlink *n, struct arena *a, const struct op_tc *where,
			struct filter_list *ret, struct error *e)
{
	_Alignas(struct nlmsghdr) char buffer[REQUEST_SIZE];
	int r = -EAGAIN;

	for (int i = 0; r == -EAGAIN && i < DUMP_TRIES; i++) {
		struct nlmsghdr *h = filter_request(buffer, RTM_GETTFILTER, where, 0);
		struct tcmsg *t = mnl_nlmsg_get_payload(h);

		if (!where->filter_priority)
			t->tcm_info = 0;
		*ret = (struct filter_list){ .a = a };
		r = netlink_get(n, h, true, read_filter, ret, e);
	}
	return r;
}

static int observe_filters(struct netlink *n, struct arena *a, struct observed_tc *tc,
			   struct error *e)
{
	const struct op_tc where = { .ifindex = tc->ifindex, .direction = tc->direction };
	struct filter_list l;
	int r;

	/* The qdisc ingress would answer for egress with what it has for ingress. */
	if (tc->qdisc == TC_QDISC_NONE ||
	    (tc->qdisc == TC_QDISC_INGRESS && tc->direction == TC_EGRESS))
		return 0;
	r = list_filters(n, a, &where, &l, e);
	if (r < 0)
		return error_prefix(e, r, "filters of interface %u", tc->ifindex);
	tc->filters = l.list.v;
	tc->filter_count = l.list.n;
	return 0;
}

static void netlink_done(struct netlink *n)
{
	netlink_close(n);
}

int clsact_observe(struct arena *a, struct observed_tc *tc, size_t count, struct error *e)
{
	cleanup(netlink_done) struct netlink n = { 0 };
	struct qdisc_list l = { tc, count };
	struct error why = { 0 };
	int r;

	if (count == 0)
		return 0;
	r = netlink_open(&n, e);
	if (r == 0)
		r = list_qdiscs(&n, &l, &why);
	if (r == -EOPNOTSUPP)
		return 0; /* built without traffic control */
	if (r < 0 && why.code)
		return error_set(e, r, "qdiscs: %s", why.text);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = observe_filters(&n, a, &tc[i], e);
	return r;
}

/* --- one place ------------------------------------------------------------------- */

/* One interface and direction while it is changed. */
struct place {
	struct arena *a;
	const struct op_tc *op;
	const char *mark;
	struct netlink netlink;
	struct op_result *ret;
};

static void place_done(struct place *p)
{
	netlink_close(&p->netlink);
}

const char *clsact_mark(struct arena *a, const struct kern_context *c)
{
	return arena_printf(a, "bpfshare:%s", c->tag);
}

static int note_qdisc_kind(const struct nlmsghdr *h, void *arg, struct error *e)
{
	enum tc_qdisc *kind = arg;

	(void)e;
	if (h->nlmsg_type == RTM_NEWQDISC)
		*kind = read_qdisc_kind(h);
	return 0;
}

static int get_qdisc(struct place *p, enum tc_qdisc *ret, struct error *e)
{
	_Alignas(struct nlmsghdr) char buffer[REQUEST_SIZE];
	struct nlmsghdr *h = new_request(buffer, RTM_GETQDISC, p->op->ifindex, TC_H_CLSACT);
	struct error why = { 0 };
	int r;

	/* Before Linux 6.7 the answer goes to those who listen to changes, and to us only by this. */
	h->nlmsg_flags = NLM_F_ECHO;
	*ret = TC_QDISC_NONE;
	r = netlink_get(&p->netlink, h, false, note_qdisc_kind, ret, &why);
	return r < 0 && r != -ENOENT ? error_set(e, r, "%s", why.text) : 0;
}

struct found {
	bool anything; /* there is a filter in our place */
	bool ours;     /* it has our mark */
	struct observed_tc_program filter;
};

/*
 * Who is in our place: at our priority and handle, or there with another kind of filter, which a
 * priority has only one of.
 */
static int look(struct place *p, struct found *ret, struct error *e)
{
	struct filter_list l = { 0 };
	enum tc_qdisc kind;
	int r;

	*ret = (struct found){ 0 };
	r = get_qdisc(p, &kind, e);
	if (r < 0 || kind == TC_QDISC_NONE ||
	    (kind == TC_QDISC_INGRESS && p->op->direction == TC_EGRESS))
		return r;
	r = list_filters(&p->netlink, p->a, p->op, &l, e);
	for (size_t i = 0; r == 0 && i < l.list.n; i++) {
		const struct observed_tc_program *f = &l.list.v[i];
		bool here = f->id && f->filter_handle == p->op->filter_handle;

		if (!here && (f->id || ret->anything))
			continue;
		ret->filter = *f;
		ret->anything = true;
		if (here)
			break;
	}
	ret->ours = ret->anything && ret->filter.id && str_eq(ret->filter.filter_name, p->mark);
	return r;
}

static bool is_expected(const struct place *p, const struct found *found)
{
	return found->ours && found->filter.id == p->op->expected_id;
}

/* --- what a failure means ----------------------------------------------------------- */

static int changed(struct place *p, int code, const struct found *found)
{
	const struct op_tc *op = p->op;

	error_set(&p->ret->error, code,
		  "%s: expected at priority %u was %s, there is %s now; it is looked at again",
		  tc_place_name(p->a, op), op->filter_priority,
		  op->expected_id ? arena_printf(p->a, "program id %u", op->expected_id) :
				    "no filter of ours",
		  found->anything ? arena_printf(p->a, "program id %u", found->filter.id) : "none");
	return tc_fail(p->ret, code, FAILURE_TRANSIENT, "TcListChanged");
}

static int held(struct place *p, int code, const struct found *found)
{
	const struct observed_tc_program *f = &found->filter;

	error_set(&p->ret->error, code,
		  "%s: priority %u, which bpfshare uses, has a filter '%s' (%s) by somebody else, "
		  "which is left alone; delete it or give it another priority",
		  tc_place_name(p->a, p->op), p->op->filter_priority, f->filter_name,
		  f->id ? arena_printf(p->a, "program id %u", f->id) : "not of the kind bpf");
	return tc_fail(p->ret, code, FAILURE_FOREIGN, "TcHeld");
}

/* Text and code of the failure are in ret->error. */
static int explain(struct place *p, int code)
{
	struct error *e = &p->ret->error;
	struct found found;
	int r = look(p, &found, NULL);

	if (code == -ENODEV || r == -ENODEV) {
		error_set(e, -ENODEV, "interface %s (index %u) is gone", p->op->interface,
			  p->op->ifindex);
		return tc_fail(p->ret, -ENODEV, FAILURE_TRANSIENT, "InterfaceGone");
	}
	if (r == 0 && found.anything && !found.ours)
		return held(p, code, &found);
	if (r == 0 && (found.ours ? found.filter.id : 0) != p->op->expected_id)
		return changed(p, code, &found);
	error_prefix(e, code, "%s", tc_place_name(p->a, p->op));
	/* ENOENT is what a kernel without the qdisc or the filter says, in words of its own. */
	if (code == -EINVAL || code == -EOPNOTSUPP || code == -ENOENT)
		return tc_fail(p->ret, code, FAILURE_KERNEL, "AttachRefused");
	result_fail(p->ret, code);
	return code;
}

/* --- change --------------------------------------------------------------------------- */

static int ensure_qdisc(struct place *p)
{
	_Alignas(struct nlmsghdr) char buffer[REQUEST_SIZE];
	struct error *e = &p->ret->error;
	enum tc_qdisc kind;
	int r = get_qdisc(p, &kind, e);

	if (r == 0 && kind == TC_QDISC_NONE) {
		r = netlink_request(&p->netlink, new_qdisc_request(buffer, p->op->ifindex), e);
		if (r == 0)
			return 0;
		/* Somebody else was quicker. */
		if (r == -EEXIST || r == -ENOBUFS)
			r = get_qdisc(p, &kind, e);
	}
	if (r < 0)
		return explain(p, r);
	if (kind == TC_QDISC_CLSACT || p->op->direction == TC_INGRESS)
		return 0;
	error_set(e, -EBUSY,
		  "%s: the interface has the qdisc ingress by somebody else, which has no filters "
		  "for egress, and clsact cannot be beside it; whoever made it has to use clsact "
		  "instead, which does the same for ingress",
		  tc_place_name(p->a, p->op));
	return tc_fail(p->ret, -EBUSY, FAILURE_FOREIGN, "IngressQdisc");
}

/* What the kernel did although its answer got lost is done. */
static bool is_done(struct place *p, uint32_t program_id)
{
	struct found found;

	return look(p, &found, NULL) == 0 && (program_id ? found.ours : !found.ours) &&
	       (!program_id || found.filter.id == program_id);
}

static uint32_t id_of(int program_fd)
{
	struct bpf_prog_info info = { 0 };
	uint32_t size = sizeof(info);

	return bpf_obj_get_info_by_fd(program_fd, &info, &size) < 0 ? 0 : info.id;
}

static void put_filter(struct place *p, int program_fd, uint16_t flags)
{
	_Alignas(struct nlmsghdr) char buffer[REQUEST_SIZE];
	struct nlmsghdr *h = new_filter_request(buffer, p->op, p->mark, program_fd);
	int r;

	h->nlmsg_flags = flags;
	r = netlink_request(&p->netlink, h, &p->ret->error);
	if (r == -ENOBUFS && is_done(p, id_of(program_fd)))
		p->ret->error = (struct error){ 0 };
	else if (r < 0)
		(void)explain(p, r);
}

static void replace(struct place *p, int program_fd)
{
	struct found found;
	int r = look(p, &found, &p->ret->error);

	if (r < 0)
		(void)explain(p, r);
	else if (found.anything && !found.ours)
		(void)held(p, -EEXIST, &found);
	else if (!is_expected(p, &found))
		(void)changed(p, -ESTALE, &found);
	else
		put_filter(p, program_fd,
			   0); /* without NLM_F_CREATE: one that went is not made anew */
}

void clsact_set(const struct kern_context *c, struct arena *a, const struct op_tc *op,
		int program_fd, struct op_result *ret)
{
	cleanup(place_done) struct place p = {
		.a = a, .op = op, .mark = clsact_mark(a, c), .ret = ret
	};
	int r = netlink_open(&p.netlink, &ret->error);

	if (r < 0)
		result_fail(ret, r);
	else if (op->expected_id)
		replace(&p, program_fd);
	else if (ensure_qdisc(&p) == 0)
		put_filter(&p, program_fd, NLM_F_CREATE | NLM_F_EXCL);
}

static void delete (struct place *p)
{
	_Alignas(struct nlmsghdr) char buffer[REQUEST_SIZE];
	struct error *e = &p->ret->error;
	int r = netlink_request(&p->netlink,
				filter_request(buffer, RTM_DELTFILTER, p->op, p->op->filter_handle),
				e);

	if (r < 0 && !is_done(p, 0) && explain(p, r) != -ENODEV)
		return;
	*p->ret = (struct op_result){ 0 };
}

void clsact_clear(const struct kern_context *c, struct arena *a, const struct op_tc *op,
		  struct op_result *ret)
{
	cleanup(place_done) struct place p = {
		.a = a, .op = op, .mark = clsact_mark(a, c), .ret = ret
	};
	struct found found;
	int r = netlink_open(&p.netlink, &ret->error);

	if (r < 0) {
		result_fail(ret, r);
		return;
	}
	r = look(&p, &found, &ret->error);
	if (r == -ENODEV || (r == 0 && !found.ours))
		*ret = (struct op_result){ 0 }; /* ours is gone, whoever is there instead */
	else if (r < 0)
		(void)explain(&p, r);
	else if (!is_expected(&p, &found))
		(void)changed(&p, -ESTALE, &found);
	else
		delete (&p);
}

/* --- try -------------------------------------------------------------------------------- */

static int transact(int fd, struct nlmsghdr *h)
{
	_Alignas(struct nlmsghdr) char answer[1024] = { 0 };
	const struct nlmsghdr *ack = (const struct nlmsghdr *)answer;
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(ack);
	ssize_t size;

	h->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	if (send(fd, h, h->nlmsg_len, 0) < 0)
		return -errno;
	size = recv(fd, answer, sizeof(answer), 0);
	if (size < 0)
		return -errno;
	return (size_t)size < sizeof(*ack) + sizeof(*e) || ack->nlmsg_type != NLMSG_ERROR ?
		       -EBADMSG :
		       e->error;
}

int clsact_try(uint32_t ifindex, int program_fd)
{
	const struct op_tc op = { .ifindex = ifindex, .filter_priority = 1, .filter_handle = 1 };
	cleanup(closep) int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	_Alignas(struct nlmsghdr) char buffer[REQUEST_SIZE];
	struct nlmsghdr *h;
	int r;

	if (fd < 0)
		return -errno;
	r = transact(fd, new_qdisc_request(buffer, ifindex));
	if (r < 0)
		return r;
	h = new_filter_request(buffer, &op, "probe", program_fd);
	h->nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
	return transact(fd, h);
}
