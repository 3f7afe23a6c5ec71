/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * One dump of rtnetlink tells nearly everything. What a physical interface is, is
 * told by two things: no software kind, and a device behind it. The kernel names that device since 5.14; for
 * what it does not name, the driver is asked where it sits (its bus information).
 */
#include "kern/interface.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <bpf/bpf.h>

#include "base/macros.h"
#include "kern/netlink.h"
#include "kern/netns.h"
#include "kern/pin.h"

/*
 * Interfaces that come and go while they are listed make a dump inconsistent. On a node where they never stop
 * doing so there may never be a consistent one.
 */
#define DUMP_TRIES 5

/* How this file reads one message; devices without a parent are asked by ethtool. */
struct interface_list {
	struct arena *a;
	const char *netns; /* the one that is being listed */
	size_t first;      /* of its interfaces */
	LIST(struct observed_interface) list;
	LIST(uint32_t) seen; /* numbers in dumps that were not consistent */
};

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

static const char *get_mac(struct arena *a, const struct nlattr *attribute)
{
	const unsigned char *m = mnl_attr_get_payload(attribute);

	if (mnl_attr_get_payload_len(attribute) != 6)
		return "";
	return arena_printf(a, "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
}

static void read_altnames(struct arena *a, const struct nlattr *nest,
			  struct observed_interface *ret)
{
	LIST(const char *) names = { 0 };
	const struct nlattr *attribute;

	mnl_attr_for_each_nested(attribute, nest)
		if (mnl_attr_get_type(attribute) == IFLA_ALT_IFNAME)
			*LIST_ADD(a, &names) = get_string(a, attribute);
	ret->altnames.v = names.v;
	ret->altnames.n = names.n;
}

static const char *read_kind(struct arena *a, const struct nlattr *nest)
{
	const struct nlattr *attribute;

	mnl_attr_for_each_nested(attribute, nest)
		if (mnl_attr_get_type(attribute) == IFLA_INFO_KIND)
			return get_string(a, attribute);
	return "";
}

/* With programs in several modes at once the root is the one that packets meet first: the driver's. */
static void read_xdp(const struct nlattr *nest, uint32_t *ret_id, enum xdp_attached *ret_mode)
{
	uint32_t ids[XDP_MULTIPLE] = { 0 };
	const struct nlattr *attribute;

	mnl_attr_for_each_nested(attribute, nest) {
		switch (mnl_attr_get_type(attribute)) {
		case IFLA_XDP_DRV_PROG_ID:
			ids[XDP_DRIVER] = get_u32(attribute);
			break;
		case IFLA_XDP_SKB_PROG_ID:
			ids[XDP_GENERIC] = get_u32(attribute);
			break;
		case IFLA_XDP_HW_PROG_ID:
			ids[XDP_HARDWARE] = get_u32(attribute);
			break;
		}
	}
	for (unsigned int mode = XDP_DRIVER; mode < XDP_MULTIPLE; mode++) {
		if (!ids[mode])
			continue;
		*ret_id = ids[mode];
		*ret_mode = (enum xdp_attached)mode;
		return;
	}
}

static void read_attribute(struct arena *a, const struct nlattr *attribute,
			   struct observed_interface *i)
{
	switch (mnl_attr_get_type(attribute)) {
	case IFLA_IFNAME:
		i->name = get_string(a, attribute);
		break;
	case IFLA_PROP_LIST:
		read_altnames(a, attribute, i);
		break;
	case IFLA_ADDRESS:
		i->mac = get_mac(a, attribute);
		break;
	case IFLA_LINKINFO:
		i->kind = read_kind(a, attribute);
		break;
	case IFLA_GROUP:
		i->group = get_u32(attribute);
		break;
	case IFLA_MTU:
		i->mtu = get_u32(attribute);
		break;
	case IFLA_MASTER:
		i->master_ifindex = get_u32(attribute);
		break;
	case IFLA_PARENT_DEV_NAME:
		i->physical = true; /* unless it turns out to be of a software kind */
		break;
	case IFLA_XDP:
		read_xdp(attribute, &i->xdp_id, &i->xdp_mode);
		break;
	}
}

static int read_interface(const struct nlmsghdr *h, void *arg, struct error *e)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(h);
	struct interface_list *l = arg;
	const struct nlattr *attribute;
	struct observed_interface *i;

	(void)e;
	if (h->nlmsg_type != RTM_NEWLINK)
		return 0;
	i = LIST_ADD(l->a, &l->list);
	i->netns = l->netns;
	i->ifindex = (uint32_t)info->ifi_index;
	i->name = i->mac = i->kind = i->driver = "";
	i->up = (info->ifi_flags & IFF_UP) != 0;
	i->loopback = (info->ifi_flags & IFF_LOOPBACK) != 0;
	mnl_attr_for_each(attribute, h, sizeof(*info))
		read_attribute(l->a, attribute, i);
	return 0;
}

static struct nlmsghdr *link_request(void *buffer, uint32_t ifindex)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buffer);
	struct ifinfomsg *info;

	h->nlmsg_type = RTM_GETLINK;
	info = mnl_nlmsg_put_extra_header(h, sizeof(*info));
	info->ifi_family = AF_UNSPEC;
	info->ifi_index = (int)ifindex;
	mnl_attr_put_u32(h, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	return h;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static int by_ifindex(const void *a, const void *b)
{
	const struct observed_interface *x = a, *y = b;

	return x->ifindex < y->ifindex ? -1 : x->ifindex > y->ifindex;
}

/* Sorted by number, and each of them once: an inconsistent dump may have some twice. */
static void sort_interfaces(struct interface_list *l)
{
	struct observed_interface *v = l->list.v + l->first;
	size_t n = l->list.n - l->first, kept = 0;

	if (n)
		qsort(v, n, sizeof(*v), by_ifindex);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || v[i].ifindex != v[i - 1].ifindex)
			v[kept++] = v[i];
	l->list.n = l->first + kept;
}

static void remember_seen(struct interface_list *l)
{
	for (size_t i = l->first; i < l->list.n; i++)
		*LIST_ADD(l->a, &l->seen) = l->list.v[i].ifindex;
}

/*
 * What was there all the time can be missing from one of these dumps, hardly from all: those that
 * the last one lacks are asked for by number. What came or went meanwhile is an event, and another look.
 */
static int complete_interfaces(struct interface_list *l, struct netlink *n, struct error *e)
{
	_Alignas(struct nlmsghdr) char buffer[256];
	size_t known;
	int r = 0;

	sort_interfaces(l);
	known = l->list.n - l->first;
	qsort(l->seen.v, l->seen.n, sizeof(*l->seen.v), by_number);
	for (size_t i = 0; r == 0 && i < l->seen.n; i++) {
		const struct observed_interface key = { .ifindex = l->seen.v[i] };

		if ((i > 0 && l->seen.v[i] == l->seen.v[i - 1]) ||
		    bsearch(&key, l->list.v + l->first, known, sizeof(key), by_ifindex))
			continue;
		r = netlink_get(n, link_request(buffer, key.ifindex), false, read_interface, l, e);
		r = r == -ENODEV ? 0 : r;
	}
	return r;
}

static int list_interfaces(struct interface_list *l, struct error *e)
{
	_Alignas(struct nlmsghdr) char buffer[256];
	struct netlink n;
	int r;

	r = netlink_open(&n, e);
	if (r < 0)
		return r;
	l->seen.n = 0;
	for (int i = 0; i < DUMP_TRIES; i++) {
		l->list.n = l->first;
		r = netlink_get(&n, link_request(buffer, 0), true, read_interface, l, e);
		if (r != -EAGAIN)
			break;
		remember_seen(l);
	}
	if (r == -EAGAIN)
		r = complete_interfaces(l, &n, e);
	netlink_close(&n);
	sort_interfaces(l);
	return r;
}

/* What the driver says of itself; false when it says nothing. */
static bool get_driver(int fd, const char *interface, struct ethtool_drvinfo *ret)
{
	struct ifreq request = { 0 };

	memset(ret, 0, sizeof(*ret));
	ret->cmd = ETHTOOL_GDRVINFO;
	strncpy(request.ifr_name, interface, sizeof(request.ifr_name) - 1);
	request.ifr_data = (void *)ret;
	return ioctl(fd, SIOCETHTOOL, &request) == 0;
}

static void ask_drivers(struct interface_list *l, bool drivers)
{
	cleanup(closep) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	for (size_t n = l->first; n < l->list.n; n++) {
		struct observed_interface *i = &l->list.v[n];
		struct ethtool_drvinfo info;
		bool unsure = !*i->kind && !i->loopback && !i->physical;

		if (*i->kind || i->loopback)
			i->physical = false;
		if (fd < 0 || (!drivers && !unsure) || !get_driver(fd, i->name, &info))
			continue;
		if (unsure)
			i->physical = info.bus_info[0] != '\0';
		if (drivers)
			i->driver = arena_strndup(l->a, info.driver,
						  strnlen(info.driver, sizeof(info.driver)));
	}
}

/* Needs the list sorted. A master in another namespace cannot be: moving one frees its slaves. */
static void find_masters(struct interface_list *l)
{
	for (size_t n = l->first; n < l->list.n; n++) {
		struct observed_interface *i = &l->list.v[n];
		const struct observed_interface key = { .ifindex = i->master_ifindex }, *master;

		if (!i->master_ifindex)
			continue;
		master = bsearch(&key, l->list.v + l->first, l->list.n - l->first, sizeof(key),
				 by_ifindex);
		i->master_kind = master ? master->kind : "";
	}
}

/* Programs that are pinned, and were looked at in this very pass. */
struct program_list {
	LIST(const struct observed_program *) list;
};

static int by_program(const void *a, const void *b)
{
	const struct observed_program *x = *(const struct observed_program *const *)a;
	const struct observed_program *y = *(const struct observed_program *const *)b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static void list_pinned(struct arena *a, const struct observed *o, struct program_list *ret)
{
	for (size_t i = 0; i < o->object_count; i++)
		for (size_t k = 0; k < o->objects[i].program_count; k++)
			*LIST_ADD(a, &ret->list) = &o->objects[i].programs[k];
	if (ret->list.n > 0)
		qsort(ret->list.v, ret->list.n, sizeof(*ret->list.v), by_program);
}

static bool find_pinned(struct arena *a, const struct program_list *l, uint32_t id,
			struct observed_program *ret)
{
	const struct observed_program key = { .id = id }, *wanted = &key;
	const struct observed_program **found = NULL;

	if (l->list.n > 0)
		found = bsearch(&wanted, l->list.v, l->list.n, sizeof(*l->list.v), by_program);
	if (!found)
		return false;
	*ret = **found;
	ret->name = arena_strndup(a, (*found)->name, BPF_OBJ_NAME_LEN - 1); /* as of any root */
	return true;
}

static int observe_roots(struct arena *a, struct observed *o, struct error *e)
{
	uint32_t *ids = arena_calloc(a, o->interface_count, sizeof(*ids));
	struct program_list pinned = { 0 };
	size_t count = 0;

	for (size_t i = 0; i < o->interface_count; i++)
		if (o->interfaces[i].xdp_id)
			ids[count++] = o->interfaces[i].xdp_id;
	if (count == 0)
		return 0;
	qsort(ids, count, sizeof(*ids), by_number);
	list_pinned(a, o, &pinned);
	o->programs = arena_calloc(a, count, sizeof(*o->programs));
	for (size_t i = 0; i < count; i++) {
		struct observed_program *p = &o->programs[o->program_count];
		int r = 1;

		if (i > 0 && ids[i] == ids[i - 1])
			continue;
		if (!find_pinned(a, &pinned, ids[i], p))
			r = pin_program_look(a, ids[i], p, e);
		if (r < 0)
			return r;
		o->program_count += (size_t)r;
	}
	return 0;
}

static int list_namespace(struct interface_list *l, const char *netns, bool drivers,
			  struct error *e)
{
	cleanup(netns_leave) struct netns_guard guard = NETNS_GUARD_INIT;
	int r = netns_enter(netns, &guard, e);

	l->netns = netns;
	l->first = l->list.n;
	if (r == 0)
		r = list_interfaces(l, e);
	if (r < 0)
		return r;
	ask_drivers(l, drivers);
	find_masters(l);
	return 0;
}

/* One that was deleted since it was found is one that does not exist. */
static int list_other(struct interface_list *l, struct observed_netns *n, bool drivers,
		      struct error *e)
{
	struct error why = { 0 };
	int r;

	if (!n->found || n->same_as)
		return 0;
	r = list_namespace(l, n->name, drivers, &why);
	if (r == -ENOENT) {
		n->found = false;
		n->fault = arena_strdup(l->a, why.text);
		return 0;
	}
	return r < 0 ? error_set(e, r, "namespace %s: %s", n->name, why.text) : 0;
}

int interface_observe(struct arena *a, bool drivers, struct observed *ret, struct error *e)
{
	struct interface_list l = { .a = a };
	int r;

	r = list_namespace(&l, NULL, drivers, e);
	for (size_t i = 0; r == 0 && i < ret->netns_count; i++)
		r = list_other(&l, &ret->netns[i], drivers, e);
	if (r < 0)
		return error_prefix(e, r, "interfaces");
	ret->interfaces = l.list.v;
	ret->interface_count = l.list.n;
	r = observe_roots(a, ret, e);
	return r < 0 ? error_prefix(e, r, "interfaces") : 0;
}

struct root_query {
	uint32_t id, mtu;
	enum xdp_attached mode;
};

static int read_root(const struct nlmsghdr *h, void *arg, struct error *e)
{
	const struct nlattr *attribute;
	struct root_query *q = arg;

	(void)e;
	if (h->nlmsg_type != RTM_NEWLINK)
		return 0;
	mnl_attr_for_each(attribute, h, sizeof(struct ifinfomsg)) {
		if (mnl_attr_get_type(attribute) == IFLA_XDP)
			read_xdp(attribute, &q->id, &q->mode);
		else if (mnl_attr_get_type(attribute) == IFLA_MTU)
			q->mtu = get_u32(attribute);
	}
	return 0;
}

int interface_root(struct netlink *n, uint32_t ifindex, uint32_t *ret_id,
		   enum xdp_attached *ret_mode, struct error *e)
{
	_Alignas(struct nlmsghdr) char buffer[256];
	struct root_query q = { 0 };
	int r;

	r = netlink_get(n, link_request(buffer, ifindex), false, read_root, &q, e);
	if (r < 0)
		return r;
	*ret_id = q.id;
	*ret_mode = q.mode;
	return 0;
}

uint32_t interface_mtu(struct netlink *n, uint32_t ifindex)
{
	_Alignas(struct nlmsghdr) char buffer[256];
	struct root_query q = { 0 };

	if (netlink_get(n, link_request(buffer, ifindex), false, read_root, &q, NULL) < 0)
		return 0;
	return q.mtu;
}
